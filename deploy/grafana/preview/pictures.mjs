// Takes pictures of dashboards: node pictures.mjs CHROMIUM URL FOLDER superfan-overview …
import { chromium } from 'playwright-core';

const WIDTH = 1400;
const [executablePath, url, folder, ...dashboards] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
for (const dashboard of dashboards) {
  for (const mode of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: { width: WIDTH, height: 1000 } });
    page.on('pageerror', (error) => { throw error; });
    await page.goto(`${url}/#${dashboard}/${mode}`, { waitUntil: 'networkidle', timeout: 120_000 });
    // A graph is there when its plot is: what is drawn first is the legend, which says how much room is left.
    const plots = () => document.querySelectorAll('.timeseries').length === document.querySelectorAll('.timeseries .u-over').length;
    await page.waitForFunction(plots, null, { timeout: 120_000 });
    const path = `${folder}/${dashboard.replace('superfan-', '')}-${mode}.png`;
    await page.screenshot({ path, fullPage: true, animations: 'disabled', timeout: 120_000 });
    console.error(path);
    await page.close();
  }
}
await browser.close();
