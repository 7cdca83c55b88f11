// A DAG of pipeline stages on @antv/x6: edited by hand, or read-only with live states. Nothing outside this file knows x6.
import { Graph, Selection, Snapline, Keyboard, History, Clipboard } from '@antv/x6';
import { graphlib, layout } from '@dagrejs/dagre';

const WIDTH = 208, HEIGHT = 56, GAP_X = 32, GAP_Y = 16, ROW_GAP = 40;
const port = (position, magnet) => ({ position, attrs: { circle: { r: 5, magnet, stroke: 'var(--line-strong)', strokeWidth: 1.25, fill: 'var(--surface)' } } });
const edgeAttrs = { line: { stroke: 'var(--line-strong)', strokeWidth: 1.5, targetMarker: { name: 'block', width: 7, height: 6 } } };
const smooth = { name: 'smooth', args: { direction: 'H' } };

Graph.registerNode('stage', {
  inherit: 'rect', width: WIDTH, height: HEIGHT,
  markup: ['body:rect', 'icon:path', 'title:text', 'sub:text', 'track:rect', 'bar:rect'].map(m => { const [selector, tagName] = m.split(':'); return { tagName, selector }; }),
  attrs: {
    body: { rx: 4, ry: 4, strokeWidth: 1, stroke: 'var(--line-strong)', fill: 'var(--surface)', refWidth: '100%', refHeight: '100%' },
    icon: { refX: 12, refY: 20, fill: 'none', strokeWidth: 1.75, strokeLinecap: 'round', strokeLinejoin: 'round' },
    title: { refX: 38, refY: 19, fontSize: 13, fontWeight: 600, fill: 'var(--text)', textAnchor: 'start', textVerticalAnchor: 'middle', fontFamily: 'var(--font-text)', textWrap: { width: WIDTH - 52, height: 18, ellipsis: true } },
    sub: { refX: 38, refY: 38, fontSize: 12, fill: 'var(--text-2)', textAnchor: 'start', textVerticalAnchor: 'middle', fontFamily: 'var(--font-text)', textWrap: { width: WIDTH - 52, height: 17, ellipsis: true } },
    track: { x: 1, refY: '100%', refY2: -4, height: 3, refWidth: '100%', refWidth2: -2, fill: 'transparent', stroke: 'none' },
    bar: { x: 1, refY: '100%', refY2: -4, height: 3, width: 0, fill: 'transparent', stroke: 'none' },
  },
  ports: { groups: { in: port('left', 'passive'), out: port('right', true) }, items: [{ id: 'in', group: 'in' }, { id: 'out', group: 'out' }] },
}, true);

/** Is there a path from one stage to another? */
function reaches(graph, from, to) {
  const seen = new Set(), todo = [from];
  while (todo.length) {
    const id = todo.pop();
    if (id === to) return true;
    if (!seen.has(id)) { seen.add(id); for (const edge of graph.getOutgoingEdges(id) ?? []) if (edge.getTargetCellId()) todo.push(edge.getTargetCellId()); }
  }
  return false;
}

export function create(host, model, dotnet, { readOnly }) {
  // x6 sets the size of its container from the container's parent: without a child of its own the host grows without end
  const inner = document.createElement('div');
  inner.style.cssText = 'width:100%;height:100%';
  host.replaceChildren(inner);
  let selected = null, loading = false, moved = false;
  const graph = new Graph({
    container: inner, autoResize: host, width: host.clientWidth, height: host.clientHeight,
    panning: { enabled: true, eventTypes: ['leftMouseDown'] }, mousewheel: { enabled: true, modifiers: ['ctrl', 'meta'], minScale: 0.3, maxScale: 2 },
    grid: { visible: !readOnly, type: 'dot', size: 16, args: { color: 'var(--line-strong)', thickness: 1 } },
    interacting: readOnly ? false : { nodeMovable: true, edgeMovable: true, magnetConnectable: true },
    connecting: {
      snap: { radius: 24 }, allowBlank: false, allowLoop: false, allowMulti: false, allowNode: false, allowEdge: false, highlight: true, connector: smooth,
      createEdge: () => graph.createEdge({ attrs: edgeAttrs, zIndex: 0 }),
      validateConnection: ({ sourceCell, targetCell, sourceMagnet, targetMagnet }) => !!targetMagnet && sourceMagnet?.getAttribute('port-group') === 'out'
        && targetMagnet.getAttribute('port-group') === 'in' && !!sourceCell && !!targetCell && !reaches(graph, targetCell.id, sourceCell.id),
    },
  });
  if (!readOnly) graph.use(new Snapline({ enabled: true })).use(new Selection({ enabled: true, multiple: true, rubberband: true, modifiers: ['shift'], showNodeSelectionBox: true }))
    .use(new Keyboard({ enabled: true })).use(new History({ enabled: true })).use(new Clipboard({ enabled: true }));

  const look = stage => {
    const state = stage.state, progress = state ? stage.progress : null;
    return {
      body: { stroke: stage.id === selected ? 'var(--accent)' : 'var(--line-strong)', strokeWidth: stage.id === selected ? 2 : 1, strokeDasharray: state?.dashed ? '4 3' : null },
      icon: { d: state?.icon ?? 'M3 4h10v8H3z', stroke: state?.colour ?? 'var(--text-3)' },
      title: { text: stage.name }, sub: { text: [state?.word, stage.detail ?? stage.kind].filter(Boolean).join(' · ') },
      track: { fill: progress == null ? 'transparent' : 'var(--line)' }, bar: { fill: progress == null ? 'transparent' : state.colour, width: Math.max(0, Math.min(1, progress ?? 0)) * (WIDTH - 2) },
    };
  };
  const label = stage => [stage.name, stage.state?.word, stage.detail ?? stage.kind].filter(Boolean).join(', ');
  const reach = node => { // keyboard and screen readers see each stage as a button
    const view = graph.findViewByCell(node), element = view?.container;
    if (element) { element.setAttribute('tabindex', '0'); element.setAttribute('role', 'button'); element.setAttribute('aria-label', label(node.getData())); element.setAttribute('aria-pressed', String(node.id === selected)); }
  };
  const addStage = stage => graph.addNode({ id: stage.id, shape: 'stage', x: stage.x ?? 40, y: stage.y ?? 40, data: stage, attrs: { ...look(stage), ...(readOnly ? { circle: { magnet: false } } : {}) }, ...(readOnly ? { ports: { groups: { in: { ...port('left', false), attrs: { circle: { r: 0 } } }, out: { ...port('right', false), attrs: { circle: { r: 0 } } } }, items: [{ id: 'in', group: 'in' }, { id: 'out', group: 'out' }] } } : {}) });
  const current = () => ({
    stages: graph.getNodes().map(n => ({ ...n.getData(), state: undefined, progress: undefined, id: n.id, x: Math.round(n.position().x), y: Math.round(n.position().y) })),
    edges: graph.getEdges().filter(e => e.getSourceCellId() && e.getTargetCellId()).map(e => ({ source: e.getSourceCellId(), target: e.getTargetCellId() })),
  });
  const fit = () => { if (host.clientWidth > 0) graph.zoomToFit({ padding: 16, maxScale: 1, minScale: 0.35 }); };
  // To be read at a glance nothing may be scaled away: ranks wrap into rows like text, and the height follows.
  const wrap = () => {
    const columns = Math.max(1, Math.floor((host.clientWidth - 48 + GAP_X) / (WIDTH + GAP_X)));
    const depth = new Map(), rank = id => {
      if (!depth.has(id)) { depth.set(id, 0); depth.set(id, Math.max(-1, ...(graph.getIncomingEdges(id) ?? []).map(e => rank(e.getSourceCellId()))) + 1); }
      return depth.get(id);
    };
    const nodes = graph.getNodes(), ranks = [];
    nodes.forEach(n => (ranks[rank(n.id)] ??= []).push(n));
    const last = ranks.length - 1, perRow = Math.ceil(ranks.length / Math.ceil(ranks.length / columns)), rows = [];
    for (let r = 0; r <= last; r += perRow) rows.push(ranks.slice(r, r + perRow));
    let top = 0;
    const place = new Map();
    rows.forEach((row, i) => {
      const tallest = Math.max(...row.map(column => column.length)), height = tallest * (HEIGHT + GAP_Y) - GAP_Y;
      row.forEach((column, c) => column.forEach((n, k) => {
        const y = top + (height - (column.length * (HEIGHT + GAP_Y) - GAP_Y)) / 2 + k * (HEIGHT + GAP_Y);
        n.position(c * (WIDTH + GAP_X), y); place.set(n.id, { row: i, column: c, y });
      }));
      row.bottom = top + height; top += height + ROW_GAP;
    });
    for (const edge of graph.getEdges()) {
      const from = place.get(edge.getSourceCellId()), to = place.get(edge.getTargetCellId());
      if (!from || !to) continue;
      const out = from.column * (WIDTH + GAP_X) + WIDTH + GAP_X / 2, into = to.column * (WIDTH + GAP_X) - GAP_X / 2, y1 = from.y + HEIGHT / 2, y2 = to.y + HEIGHT / 2;
      const lane = from.row !== to.row ? rows[from.row].bottom + ROW_GAP / 2 : to.column - from.column > 1 ? Math.max(...rows[from.row].slice(from.column + 1, to.column).flat().map(n => place.get(n.id).y)) + HEIGHT + GAP_Y / 2 : null;
      edge.setVertices(lane != null ? [{ x: out, y: y1 }, { x: out, y: lane }, { x: into, y: lane }, { x: into, y: y2 }] : y1 === y2 ? [] : [{ x: out, y: y1 }, { x: out, y: y2 }]);
      edge.setConnector({ name: 'rounded', args: { radius: 6 } });
    }
    host.style.height = `${Math.max(88, top - ROW_GAP + GAP_Y + 40)}px`;
    const width = perRow * (WIDTH + GAP_X) - GAP_X;
    graph.zoomTo(Math.min(1, (host.clientWidth - 48) / width)); // only a single column wider than the screen shrinks
    graph.translate(24, 20);
  };
  const arrange = () => {
    if (readOnly) return wrap();
    const plan = new graphlib.Graph();
    plan.setGraph({ rankdir: 'LR', nodesep: 24, ranksep: 40 }); plan.setDefaultEdgeLabel(() => ({}));
    graph.getNodes().forEach(n => plan.setNode(n.id, { width: WIDTH, height: HEIGHT }));
    graph.getEdges().forEach(e => plan.setEdge(e.getSourceCellId(), e.getTargetCellId()));
    layout(plan);
    graph.startBatch('layout');
    plan.nodes().forEach(id => { const p = plan.node(id); graph.getCellById(id).position(p.x - WIDTH / 2, p.y - HEIGHT / 2); });
    graph.stopBatch('layout');
    fit();
  };
  const load = next => {
    loading = true;
    graph.batchUpdate(() => {
      graph.clearCells();
      next.stages.forEach(addStage);
      next.edges.forEach(e => graph.addEdge({ source: { cell: e.source, port: 'out' }, target: { cell: e.target, port: 'in' }, attrs: edgeAttrs, zIndex: 0, connector: smooth }));
    });
    if (readOnly || next.stages.some(s => s.x == null)) arrange(); else fit();
    if (!readOnly) graph.cleanHistory();
    loading = false;
    requestAnimationFrame(() => graph.getNodes().forEach(reach));
  };
  const update = stages => {
    for (const stage of stages) {
      const node = graph.getCellById(stage.id);
      if (!node) continue;
      node.setData(stage, { overwrite: true, silent: true });
      node.attr(look(stage)); reach(node);
    }
  };
  const select = id => {
    if (id === selected) return;
    const before = selected; selected = id;
    for (const one of [before, id]) { const node = one && graph.getCellById(one); if (node) { node.attr(look(node.getData())); reach(node); } }
  };
  const choose = id => { select(id); dotnet?.invokeMethodAsync('OnStageSelected', id); };

  let timer;
  const changed = () => { if (loading || readOnly) return; moved = true; clearTimeout(timer); timer = setTimeout(() => dotnet?.invokeMethodAsync('OnModelChanged', JSON.stringify(current())), 150); };
  for (const event of ['cell:added', 'cell:removed', 'node:moved', 'edge:connected', 'history:undo', 'history:redo']) graph.on(event, changed);
  graph.on('node:click', ({ node }) => choose(node.id));
  if (!readOnly) graph.on('blank:click', () => choose(null));
  const pressed = event => {
    const id = event.target.closest?.('[data-cell-id]')?.getAttribute('data-cell-id');
    if (id && (event.key === 'Enter' || event.key === ' ') && graph.getCellById(id)?.isNode()) { event.preventDefault(); choose(id); }
  };
  host.addEventListener('keydown', pressed);
  if (!readOnly) {
    graph.on('edge:mouseenter', ({ edge }) => edge.addTools([{ name: 'button-remove', args: { distance: '50%' } }]));
    graph.on('edge:mouseleave', ({ edge }) => edge.removeTools());
    graph.bindKey(['delete', 'backspace'], () => { const cells = graph.getSelectedCells(); if (cells.length) graph.removeCells(cells); return false; });
    graph.bindKey(['ctrl+z', 'meta+z'], () => { graph.undo(); return false; });
    graph.bindKey(['ctrl+shift+z', 'ctrl+y'], () => { graph.redo(); return false; });
    graph.bindKey('ctrl+c', () => { graph.copy(graph.getSelectedCells()); return false; });
    graph.bindKey('ctrl+v', () => { graph.paste({ offset: 32 }); return false; });
  }
  let width = host.clientWidth; // our own change of height must not come back as a resize
  const resize = new ResizeObserver(() => { if (moved || width === host.clientWidth) return; width = host.clientWidth; if (readOnly) wrap(); else fit(); });
  resize.observe(host);
  load(model);
  return {
    load, update, select, arrange, fit: () => readOnly ? wrap() : fit(), zoom: step => graph.zoom(step),
    add(stage) { const area = graph.getGraphArea(); addStage({ x: Math.round(area.x + area.width / 2 - WIDTH / 2), y: Math.round(area.y + area.height / 2 - HEIGHT / 2), ...stage }); },
    undo: () => graph.undo(), redo: () => graph.redo(),
    dispose() { clearTimeout(timer); resize.disconnect(); host.removeEventListener('keydown', pressed); graph.dispose(); },
  };
}
