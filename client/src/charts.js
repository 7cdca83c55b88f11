// Comparison charts on ECharts, only the parts in use. The option comes as plain JSON; colours and fonts are added here from the theme.
import * as echarts from 'echarts/core';
import { LineChart, BarChart, ScatterChart, HeatmapChart, ParallelChart, BoxplotChart, CustomChart } from 'echarts/charts';
import { GridComponent, TooltipComponent, LegendComponent, DataZoomComponent, MarkLineComponent, VisualMapComponent, ParallelComponent, DatasetComponent, AriaComponent } from 'echarts/components';
import { LabelLayout } from 'echarts/features';
import { CanvasRenderer } from 'echarts/renderers';
import { token, series, onThemeChange, save } from './theme.js';

echarts.use([LineChart, BarChart, ScatterChart, HeatmapChart, ParallelChart, BoxplotChart, CustomChart, GridComponent, TooltipComponent, LegendComponent, DataZoomComponent, MarkLineComponent, VisualMapComponent, ParallelComponent, DatasetComponent, AriaComponent, LabelLayout, CanvasRenderer]);

function theme(host) {
  const [text, muted, line, surface] = ['--text', '--text-2', '--line', '--raised'].map(name => token(host, name));
  const fontFamily = token(host, '--font-text'), label = { color: muted, fontFamily, fontSize: 12 };
  const axis = { axisLine: { lineStyle: { color: line } }, axisTick: { lineStyle: { color: line } }, axisLabel: label, nameTextStyle: label, splitLine: { lineStyle: { color: line } } };
  return {
    color: series(host), backgroundColor: 'transparent', textStyle: { color: text, fontFamily },
    categoryAxis: { ...axis, splitLine: { show: false } }, valueAxis: axis, logAxis: axis, timeAxis: axis,
    legend: { textStyle: label, icon: 'roundRect', itemWidth: 12, itemHeight: 4 },
    tooltip: { backgroundColor: surface, borderColor: line, textStyle: { color: text, fontFamily, fontSize: 12 } },
    visualMap: { textStyle: label },
  };
}

/** `tone` is the number of a colour of the theme: two series can share one, whatever their order; `hollow` draws only the edge of its dots. `whisker` series: data rows [x, low, high] drawn as upright intervals. */
function withTones(host, option) {
  const tones = series(host);
  for (const one of option.series ?? []) {
    if (one.tone !== undefined) Object.assign(one, { color: tones[one.tone], itemStyle: one.hollow ? { color: token(host, '--surface'), borderColor: tones[one.tone], borderWidth: 2 } : { color: tones[one.tone] }, label: one.label && { ...one.label, color: token(host, '--text') } });
    if (one.type === 'whisker') Object.assign(one, {
      type: 'custom', encode: { x: 0, y: [1, 2] }, silent: true,
      renderItem: (_, api) => {
        const [x, low] = api.coord([api.value(0), api.value(1)]), [, high] = api.coord([api.value(0), api.value(2)]), style = { stroke: api.visual('color'), lineWidth: 1.5, opacity: .6 };
        const line = (x1, y1, x2, y2) => ({ type: 'line', shape: { x1, y1, x2, y2 }, style });
        return { type: 'group', children: [line(x, low, x, high), line(x - 4, low, x + 4, low), line(x - 4, high, x + 4, high)] };
      },
    });
  }
  return option;
}

/** Parallel coordinates: axes as everywhere else, and lines from the accent (`strong` says at which end) to the colour of secondary text. */
function withParallel(host, option) {
  if (!option.parallel) return option;
  const [muted, line] = [token(host, '--text-2'), token(host, '--line-strong')], label = { color: muted, fontFamily: token(host, '--font-text'), fontSize: 12 };
  option.parallel.parallelAxisDefault = { axisLine: { lineStyle: { color: line, width: 1 } }, axisTick: { lineStyle: { color: line } }, minorTick: { show: false }, splitLine: { show: false }, axisLabel: label, nameTextStyle: label, nameGap: 16, areaSelectStyle: { width: 16, opacity: .2 } };
  const { strong, ...map } = option.visualMap ?? {};
  if (strong) {
    const ends = [series(host)[0], muted];
    option.visualMap = { ...map, inRange: { color: strong === 'low' ? ends : ends.reverse() } };
  }
  return option;
}

/** `interval` series: data rows [y, low, high, value] drawn as a forest plot's bar with a mark. JSON cannot carry the drawing function. */
function withForest(option) {
  for (const one of option.series ?? [])
    if (one.type === 'interval') Object.assign(one, {
      type: 'custom', encode: { x: [1, 2, 3], y: 0 },
      renderItem: (_, api) => {
        const at = i => api.coord([api.value(i), api.value(0)]), [low, y] = at(1), [high] = at(2), [mid] = at(3), style = { stroke: api.visual('color'), fill: api.visual('color'), lineWidth: 2 };
        const line = (x1, y1, x2, y2) => ({ type: 'line', shape: { x1, y1, x2, y2 }, style });
        return { type: 'group', children: [line(low, y, high, y), line(low, y - 5, low, y + 5), line(high, y - 5, high, y + 5), { type: 'rect', shape: { x: mid - 4, y: y - 4, width: 8, height: 8 }, style }] };
      },
    });
  return option;
}

export function create(host, json, dotnet) {
  let option = json, chart;
  const make = () => {
    chart?.dispose();
    chart = echarts.init(host, theme(host));
    chart.setOption({ animationDuration: 150, aria: { enabled: true }, ...withParallel(host, withTones(host, withForest(JSON.parse(option)))) });
    if (dotnet) chart.on('click', event => dotnet.invokeMethodAsync('OnPointClick', event.seriesName ?? '', event.dataIndex ?? -1));
  };
  make();
  const resize = new ResizeObserver(() => chart.resize());
  resize.observe(host);
  const stop = onThemeChange(make);
  return {
    set(next) { option = next; chart.setOption({ aria: { enabled: true }, ...withParallel(host, withTones(host, withForest(JSON.parse(next)))) }, true); },
    png(name) { fetch(chart.getDataURL({ pixelRatio: 2, backgroundColor: token(host, '--surface') })).then(r => r.blob()).then(blob => save(name, blob)); },
    dispose() { stop(); resize.disconnect(); chart.dispose(); },
  };
}
