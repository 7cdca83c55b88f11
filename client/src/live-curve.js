// Curves over steps or time on uPlot: zoom, smoothing, log axis, 100k points; points come as binary columns.
import uPlot from 'uplot';
import css from 'uplot/dist/uPlot.min.css';
import { token, series, onThemeChange, save } from './theme.js';

if (!document.getElementById('uplot-css')) document.head.append(Object.assign(document.createElement('style'), { id: 'uplot-css', textContent: css }));
const CAP = 200_000;
const number = v => v == null ? '–' : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : String(+v.toPrecision(5));

/** Exponential moving average with the start-up bias taken out, as in Adam; `weight` 0 is off. */
function smooth(values, weight) {
  if (!weight) return values;
  let mean = 0, norm = 0;
  return values.map(v => { if (v == null) return v; mean = weight * mean + (1 - weight) * v; norm = weight * norm + (1 - weight); return mean / norm; });
}

export function create(host, names, options) {
  let raw = [[], ...names.map(() => [])], plot, frame = 0, zoomed = false, { log = false, weight = 0, height = 260, unit = 'step' } = options;
  const data = () => weight ? [raw[0], ...raw.slice(1).flatMap(values => [smooth(values, weight), values])] : raw;
  const make = () => {
    const zoom = zoomed ? { min: plot.scales.x.min, max: plot.scales.x.max } : null;
    plot?.destroy();
    const colours = series(host), line = token(host, '--line'), font = '12px ' + token(host, '--font-text');
    const axis = { stroke: token(host, '--text-2'), font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, size: 4 } };
    const one = (name, i) => ({ label: name, stroke: colours[i % 8], width: 1.5, points: { show: false }, value: (_, v) => number(v), spanGaps: true });
    const faint = (name, i) => ({ ...one(name, i), label: `${name} (raw)`, stroke: colours[i % 8] + '55', width: 1 });
    plot = new uPlot({
      width: Math.max(200, host.clientWidth), height, cursor: { drag: { x: true, y: false }, points: { size: 6 } },
      scales: { x: { time: options.time ?? false }, y: { distr: log ? 3 : 1 } },
      axes: [{ ...axis, size: 32 }, { ...axis, size: 56, values: (_, ticks) => ticks.map(v => v == null ? '' : number(v)) }],
      series: [{ label: unit, value: (_, v) => number(v) }, ...names.flatMap((n, i) => weight ? [one(n, i), faint(n, i)] : [one(n, i)])],
      hooks: { setSelect: [u => { zoomed ||= u.select.width > 0; }], ready: [u => u.over.addEventListener('dblclick', () => { zoomed = false; })] },
    }, data(), host);
    if (zoom) plot.setScale('x', zoom);
  };
  make();
  const resize = new ResizeObserver(() => plot.setSize({ width: Math.max(200, host.clientWidth), height }));
  resize.observe(host);
  const stop = onThemeChange(make);
  const draw = () => {
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      plot.setData(data(), !zoomed); // new points must not throw away the part the reader is looking at
      if (zoomed) plot.redraw();
    });
  };
  return {
    /** bytes: float64, column after column: x first, then each series; NaN is a gap */
    append(bytes) {
      const all = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)), count = all.length / (names.length + 1);
      raw.forEach((column, c) => { for (let i = 0; i < count; i++) { const v = all[c * count + i]; column.push(Number.isNaN(v) ? null : v); } });
      if (raw[0].length > CAP) raw = raw.map(column => column.slice(-CAP));
      draw();
    },
    clear() { raw = raw.map(() => []); draw(); },
    setOptions(next) { log = next.log ?? log; weight = next.weight ?? weight; make(); },
    resetZoom() { zoomed = false; plot.setData(data()); },
    png(name) { plot.ctx.canvas.toBlob(blob => save(name, blob)); },
    csv(name) { save(name, new Blob([[[unit, ...names].join(','), ...raw[0].map((x, i) => [x, ...raw.slice(1).map(c => c[i] ?? '')].join(','))].join('\n') + '\n'], { type: 'text/csv' })); },
    dispose() { cancelAnimationFrame(frame); stop(); resize.disconnect(); plot.destroy(); },
  };
}
