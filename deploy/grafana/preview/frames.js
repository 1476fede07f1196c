// Turns query answers into Grafana data frames, as Grafana's server and panel plugins do.
import { FieldColorModeId, FieldConfigOptionsRegistry, FieldType, applyFieldOverrides, identityOverrideProcessor, toDataFrame } from '@grafana/data';

// The field options of Grafana, with the defaults of its panels.
const COLOR = { mode: FieldColorModeId.Thresholds };
const THRESHOLDS = { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] };
const STANDARD = { unit: null, min: null, max: null, decimals: null, displayName: null, noValue: null, mappings: [], links: null, color: COLOR, thresholds: THRESHOLDS };
const GRAPH = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, lineStyle: { fill: 'solid' }, fillOpacity: 0, gradientMode: 'none',
  showPoints: 'auto', pointSize: 5, spanNulls: false, stacking: { mode: 'none', group: 'A' },
  axisPlacement: 'auto', axisGridShow: null, axisBorderShow: false, axisCenteredZero: false, axisSoftMin: null, axisSoftMax: null,
  scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, hideFrom: { tooltip: false, viz: false, legend: false },
};
const TABLE = { align: 'auto', cellOptions: { type: 'auto' }, hidden: null, 'hideFrom.viz': null, width: null, minWidth: null, filterable: false };
const CUSTOM = { timeseries: GRAPH, table: TABLE };

function registry(options, custom) {
  const items = [...Object.keys(options).map((path) => [path, false]), ...Object.keys(custom).map((path) => [path, true])];
  return new FieldConfigOptionsRegistry(() => items.map(([path, isCustom]) => ({
    id: isCustom ? `custom.${path}` : path, path, isCustom, name: path,
    process: identityOverrideProcessor, shouldApply: () => true,
  })));
}

function known(defaults, given) {
  return Object.fromEntries(Object.entries({ ...defaults, ...given }).filter(([, value]) => value !== null));
}

/** Return the frames of a panel, with units, colours and thresholds. `answers` maps refIds to query answers. */
export function frames(panel, answers, theme, timeZone) {
  const { defaults, overrides } = panel.fieldConfig;
  const custom = CUSTOM[panel.type] ?? {};
  const color = panel.type === 'timeseries' ? { mode: FieldColorModeId.PaletteClassic } : COLOR;
  const steps = defaults.thresholds?.steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  const data = panel.targets.flatMap((target) => received(target, answers[target.refId]));
  return applyFieldOverrides({
    data,
    fieldConfig: {
      defaults: {
        ...known({ ...STANDARD, color }, defaults),
        ...(steps && { thresholds: { ...defaults.thresholds, steps } }),
        custom: known(custom, defaults.custom),
      },
      overrides,
    },
    fieldConfigRegistry: registry(STANDARD, custom),
    replaceVariables: (text) => text,
    theme,
    timeZone,
  });
}

function received({ refId, legendFormat }, { columns, rows, step, result }) {
  if (columns) {
    return [toDataFrame({ refId, fields: columns.map((name, at) => ({ name, values: rows.map((row) => row[at]), ...typed(name) })) })];
  }
  return result.map(({ metric, values, value }) => {
    const points = values ? withGaps(values, step) : [value];
    const name = legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label] ?? '');
    return toDataFrame({
      refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: points.map(([at]) => at * 1000) },
        { name: 'Value', type: FieldType.number, labels: metric, values: points.map(([, text]) => number(text)), config: { displayNameFromDS: name } },
      ],
    });
  });
}

/** Insert a gap where steps have no sample, so that no line crosses it. */
function withGaps(points, step) {
  return points.flatMap((point, i) => (i && point[0] - points[i - 1][0] > 1.5 * step ? [[points[i - 1][0] + step, 'NaN'], point] : [point]));
}

// As Grafana's server sends it: NaN becomes null.
const number = (text) => (text === 'NaN' ? null : Number(text.replace('Inf', 'Infinity')));

const typed = (name) => (name.endsWith('_at') ? { type: FieldType.time } : {});
