// Draws the dashboard named by the address (`#superfan-overview/dark`) with the query answers in answers.json.
import '@fontsource-variable/inter';
import { createRoot } from 'react-dom/client';
import { ThemeContext, createTheme, dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, Icon, PanelChrome, PortalContainer, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { frames } from './frames.js';

const GAP = 8;
const ROW = 30;
const TIME_ZONE = 'utc';
const FONT = 'Inter Variable';

function Graph({ panel, data, range, width, height }) {
  return <TimeSeries frames={data} timeRange={range} timeZone={TIME_ZONE} legend={panel.options.legend} width={width} height={height} options={panel.options} />;
}

function Repeated({ panel, data, theme, width, height, ...layout }) {
  const { options } = panel;
  const values = () => getFieldDisplayValues({
    data, theme, timeZone: TIME_ZONE, fieldConfig: panel.fieldConfig, reduceOptions: options.reduceOptions,
    replaceVariables: (text) => text, sparkline: options.graphMode !== 'none',
  });
  return (
    <VizRepeater
      getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} source={data} renderCounter={0}
      orientation={options.orientation} width={width} height={height} {...layout}
    />
  );
}

function Stat(props) {
  const { options } = props.panel;
  const value = ({ value, ...layout }) => (
    <BigValue value={value.display} sparkline={value.sparkline} colorMode={options.colorMode} graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode} theme={props.theme} {...layout} />
  );
  return <Repeated {...props} autoGrid renderValue={value} itemSpacing={3} />;
}

function Bars(props) {
  const { options } = props.panel;
  const bar = ({ value: { display, field, view, colIndex }, count, ...layout }) => (
    <BarGauge value={display} field={field} display={view?.getFieldDisplayProcessor(colIndex)} displayMode={options.displayMode} valueDisplayMode={options.valueMode} namePlacement={options.namePlacement} showUnfilled={options.showUnfilled} text={options.text} itemSpacing={8} lcdCellWidth={12} theme={props.theme} {...layout} />
  );
  return <Repeated {...props} renderValue={bar} itemSpacing={8} minVizHeight={options.minVizHeight} maxVizHeight={options.maxVizHeight} />;
}

function Rows({ data, width, height }) {
  return <TableNG data={data[0]} width={width} height={height} />;
}

const KINDS = { timeseries: Graph, stat: Stat, bargauge: Bars, table: Rows };

function Panel({ panel, answers, theme, range, column }) {
  const { w, h } = panel.gridPos;
  const data = frames(panel, answers, theme, TIME_ZONE);
  const Kind = KINDS[panel.type];
  const draw = (width, height) => data.length ? <Kind {...{ panel, data, theme, range, width, height }} /> : <p className="empty">No data</p>;
  return (
    <PanelChrome title={panel.title} description={panel.description} width={w * (column + GAP) - GAP} height={h * (ROW + GAP) - GAP} padding={panel.type === 'table' ? 'none' : 'md'}>
      {draw}
    </PanelChrome>
  );
}

function Dashboard({ dashboard, answers, from, to, theme }) {
  const column = (window.innerWidth - 2 * 16 - 23 * GAP) / 24;
  const range = { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };
  return (
    <main>
      <header>
        <h1>{dashboard.title}</h1>
        <span>{dashboard.description}</span>
        <span className="right"><Icon name="clock-nine" /> {range.from.utc().format('HH:mm:ss')} to {range.to.utc().format('HH:mm:ss')}</span>
      </header>
      <div className="grid">
        {dashboard.panels.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          return (
            <div key={panel.id} data-kind={panel.type} style={{ gridColumn: `${x + 1} / span ${w}`, gridRow: `${y + 1} / span ${h}` }}>
              {panel.type === 'row' ? <h2><Icon name="angle-down" /> {panel.title}</h2> : <Panel {...{ panel, theme, range, column }} answers={answers[panel.id]} />}
            </div>
          );
        })}
      </div>
    </main>
  );
}

const styles = ({ colors, typography }) => `
  body { background: ${colors.background.canvas}; color: ${colors.text.primary}; font-family: ${typography.fontFamily}; }
  main { padding: 16px; }
  header { display: flex; gap: 16px; align-items: baseline; margin-bottom: 8px; color: ${colors.text.secondary}; }
  h1 { font-size: 20px; margin: 0; color: ${colors.text.primary}; }
  h2 { font-size: 16px; margin: 4px 0; }
  .right { margin-left: auto; }
  .grid { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); grid-auto-rows: ${ROW}px; gap: ${GAP}px; }
  .empty { text-align: center; color: ${colors.text.secondary}; }
`;

const [uid, mode] = location.hash.slice(1).split('/');
const boards = await (await fetch('answers.json')).json();
await document.fonts.load(`12px "${FONT}"`); // a canvas does not wait for its font to load
const theme = createTheme({ colors: { mode }, typography: { fontFamily: `"${FONT}", sans-serif` } });
createRoot(document.getElementById('page')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <style>{styles(theme)}</style>
    <Dashboard {...boards[uid]} theme={theme} />
    <PortalContainer />
  </ThemeContext.Provider>
);
