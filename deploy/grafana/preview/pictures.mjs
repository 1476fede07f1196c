// Takes screenshots of dashboards: node pictures.mjs CHROMIUM URL FOLDER superfan-overview …
import { writeFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import UPNG from 'upng-js';

const VIEWPORT = { width: 1400, height: 2400 }; // taller than any dashboard: a table draws only its visible rows
// A graph is complete once it has its plot, and a table once it has cells: both measure themselves first.
const CONTENT = { timeseries: '.u-over', table: '[role=gridcell]' };
const drawn = (content) => Object.entries(content).every(([kind, inside]) =>
  [...document.querySelectorAll(`[data-kind=${kind}]`)].every((panel) => panel.querySelector(inside)));

const COLORS = 256; // a third of the file size
const [executablePath, url, folder, ...dashboards] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
for (const dashboard of dashboards) {
  for (const mode of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: VIEWPORT });
    page.on('pageerror', (error) => { throw error; });
    await page.goto(`${url}/#${dashboard}/${mode}`, { waitUntil: 'networkidle', timeout: 120_000 });
    await page.waitForFunction(drawn, CONTENT, { timeout: 120_000 });
    const path = `${folder}/${dashboard.replace('superfan-', '')}-${mode}.png`;
    const taken = UPNG.decode(await page.locator('main').screenshot({ animations: 'disabled', timeout: 120_000 }));
    await writeFile(path, Buffer.from(UPNG.encode(UPNG.toRGBA8(taken), taken.width, taken.height, COLORS)));
    console.error(path);
    await page.close();
  }
}
await browser.close();
