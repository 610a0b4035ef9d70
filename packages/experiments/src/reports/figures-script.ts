/**
 * Draws the figures of a page: lines told apart by their dashes, bars by their patterns, points by
 * their shapes, so that colour is never needed; every figure has its data as a table and as CSV.
 */
export const FIGURES_SCRIPT = `
const figures = JSON.parse(document.getElementById('data').textContent);
const INK = ['#111111', '#b3420e', '#1f5f99', '#5b2a86', '#2f6b2f', '#8a6d00', '#7a1f3d', '#556070'];
const DASH = [[], [9, 4], [2, 3], [12, 3, 2, 3], [5, 5], [1, 5], [16, 5], [8, 2, 2, 2, 2, 2]];
const format = (v) => v == null ? '–' : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString('en-US') : Number(v.toPrecision(4)).toString();
const SVG = 'http://www.w3.org/2000/svg';
const svg = (tag, attributes, ...children) => { const e = document.createElementNS(SVG, tag); for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v); e.append(...children); return e; };
const html = (tag, properties, ...children) => { const e = Object.assign(document.createElement(tag), properties); e.append(...children); return e; };

function withData(figure, head, rows) {
  const details = html('details', {}, html('summary', { textContent: 'data' }));
  const csv = [head, ...rows].map((row) => row.map((cell) => { const text = cell == null ? '' : String(cell); return /[",\\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text; }).join(',')).join('\\n');
  const link = html('a', { textContent: 'as CSV', download: 'figure.csv', href: URL.createObjectURL(new Blob([csv], { type: 'text/csv' })) });
  details.addEventListener('toggle', () => {
    if (details.querySelector('table') !== null) return;
    const table = html('table', {});
    const line = (parent, tag, cells) => { const tr = parent.insertRow(); for (const cell of cells) tr.append(html(tag, { textContent: typeof cell === 'number' ? format(cell) : cell ?? '–' })); };
    line(table.createTHead(), 'th', head);
    const body = table.createTBody();
    for (const row of rows) line(body, 'td', row);
    details.append(html('div', {}, table));
  });
  details.append(link);
  figure.querySelector('details')?.remove();
  figure.append(details);
}

function lines(f, figure) {
  const place = html('div', {});
  const select = html('select', {}, ...f.views.map((view, i) => new Option(view.name, i)));
  select.setAttribute('aria-label', f.title + ': what is shown');
  if (f.views.length > 1) figure.append(html('p', {}, select));
  const keys = html('p', {});
  figure.append(keys, place);
  let chart;
  const draw = () => {
    const view = f.views[select.value || 0];
    chart?.destroy();
    chart = new uPlot({
      width: Math.min(1160, document.body.clientWidth), height: 320,
      scales: { x: { time: false }, y: f.log ? { distr: 3 } : { range: (u, min, max) => [0, Math.max(max * 1.05, 1e-9)] } },
      axes: [{ label: f.x.label }, { label: f.y, size: 80, values: (u, v) => v.map((x) => x == null ? '' : format(x)) }],
      series: [{ label: f.x.label, value: (u, v) => format(v) }, ...view.series.map((s, i) => ({ label: s.name, stroke: INK[i % 8], width: i % 2 ? 1.6 : 2.2, dash: DASH[i % 8], points: { show: false }, value: (u, v) => format(v) }))],
    }, [f.x.values, ...view.series.map((s) => f.log ? s.values.map((v) => v > 0 ? v : null) : s.values)], place);
    keys.replaceChildren(...view.series.map((s, i) => html('span', { className: 'key' }, svg('svg', { width: 44, height: 12 }, svg('line', { x1: 0, x2: 44, y1: 6, y2: 6, stroke: INK[i % 8], 'stroke-width': 2.2, 'stroke-dasharray': DASH[i % 8].join(' ') })), s.name)));
    withData(figure, [f.x.label, ...view.series.map((s) => s.name)], f.x.values.map((x, i) => [x, ...view.series.map((s) => s.values[i])]));
  };
  select.onchange = draw;
  draw();
}

function pattern(i) {
  const id = 'p' + i;
  if (document.getElementById(id) === null) {
    const shapes = [
      [['rect', { width: 8, height: 8, fill: INK[0] }]],
      [['rect', { width: 8, height: 8, fill: '#fff' }], ['path', { d: 'M0 8L8 0M-2 2L2 -2M6 10L10 6', stroke: INK[1], 'stroke-width': 2 }]],
      [['rect', { width: 8, height: 8, fill: '#fff' }], ['circle', { cx: 4, cy: 4, r: 2, fill: INK[2] }]],
      [['rect', { width: 8, height: 8, fill: '#fff' }], ['path', { d: 'M0 2H8M0 6H8', stroke: INK[3], 'stroke-width': 1.6 }]],
      [['rect', { width: 8, height: 8, fill: '#fff' }], ['path', { d: 'M2 0V8M6 0V8', stroke: INK[4], 'stroke-width': 1.6 }]],
      [['rect', { width: 8, height: 8, fill: '#fff' }], ['path', { d: 'M0 0L8 8M8 0L0 8', stroke: INK[5], 'stroke-width': 1.4 }]],
      [['rect', { width: 8, height: 8, fill: '#ddd' }]],
      [['rect', { width: 8, height: 8, fill: '#888' }]],
    ][i % 8];
    const defs = document.getElementById('defs') ?? (() => { const s = svg('svg', { width: 0, height: 0, style: 'position:absolute' }, svg('defs', { id: 'defs' })); document.body.append(s); return s.firstChild; })();
    defs.append(svg('pattern', { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse' }, ...shapes.map(([tag, a]) => svg(tag, a))));
  }
  return 'url(#' + id + ')';
}

function bars(f, figure) {
  const WIDTH = 1120, LABEL = 150, BAR = 16, GAP = 14;
  const total = (g) => f.series.reduce((sum, s) => sum + s.values[g], 0);
  const top = Math.max(1e-9, ...f.groups.map((_, g) => f.stacked ? total(g) : Math.max(...f.series.map((s) => s.values[g]))));
  const perGroup = f.stacked ? 1 : f.series.length;
  const chart = svg('svg', { viewBox: '0 0 ' + WIDTH + ' ' + f.groups.length * (perGroup * BAR + GAP), width: '100%', role: 'img', 'aria-label': f.title });
  const scale = (v) => (v / top) * (WIDTH - LABEL - 110);
  f.groups.forEach((group, g) => {
    const y = g * (perGroup * BAR + GAP);
    chart.append(svg('text', { x: 0, y: y + (perGroup * BAR) / 2 + 4 }, group));
    let x = LABEL;
    f.series.forEach((s, i) => {
      const at = f.stacked ? y : y + i * BAR;
      const rect = svg('rect', { x: f.stacked ? x : LABEL, y: at, width: scale(s.values[g]), height: BAR - 2, fill: pattern(i), stroke: '#333', 'stroke-width': 0.6 }, svg('title', {}, group + ', ' + s.name + ': ' + format(s.values[g])));
      chart.append(rect);
      if (f.stacked) x += scale(s.values[g]);
      else chart.append(svg('text', { x: LABEL + scale(s.values[g]) + 5, y: at + 11 }, format(s.values[g])));
    });
    if (f.stacked) chart.append(svg('text', { x: x + 5, y: y + 11 }, format(total(g))));
  });
  if (f.series.length > 1) figure.append(html('p', {}, ...f.series.map((s, i) => html('span', { className: 'key' }, svg('svg', { width: 16, height: 16 }, svg('rect', { width: 16, height: 16, fill: pattern(i), stroke: '#333' })), s.name))));
  figure.append(chart);
  withData(figure, ['', ...f.series.map((s) => s.name + ' (' + f.y + ')')], f.groups.map((group, g) => [group, ...f.series.map((s) => s.values[g])]));
}

const SHAPES = [
  (r) => svg('circle', { r }), (r) => svg('rect', { x: -r, y: -r, width: 2 * r, height: 2 * r }), (r) => svg('path', { d: 'M0 ' + -1.3 * r + 'L' + 1.3 * r + ' ' + r + 'H' + -1.3 * r + 'Z' }),
  (r) => svg('path', { d: 'M0 ' + -1.4 * r + 'L' + 1.4 * r + ' 0L0 ' + 1.4 * r + 'L' + -1.4 * r + ' 0Z' }), (r) => svg('path', { d: 'M' + -r + ' ' + -r + 'L' + r + ' ' + r + 'M' + -r + ' ' + r + 'L' + r + ' ' + -r, 'stroke-width': 2.4 }),
  (r) => svg('path', { d: 'M0 ' + -1.3 * r + 'V' + 1.3 * r + 'M' + -1.3 * r + ' 0H' + 1.3 * r, 'stroke-width': 2.4 }), (r) => svg('path', { d: 'M0 ' + 1.3 * r + 'L' + 1.3 * r + ' ' + -r + 'H' + -1.3 * r + 'Z' }), (r) => svg('ellipse', { rx: 1.5 * r, ry: 0.8 * r }),
];
function mark(i, r, filled) { const shape = SHAPES[i % 8](r); shape.setAttribute('fill', filled ? INK[i % 8] : '#fff'); shape.setAttribute('stroke', INK[i % 8]); return shape; }

/** Round steps that part a range into about so many. */
function ticks(low, high, about) {
  const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const all = []; for (let t = Math.ceil(low / step); t * step <= high + step / 1e6; t++) all.push(t * step);
  return all;
}

/** Of any number of values: each as an argument would be too many. */
function extremes(values) { let low = Infinity, high = -Infinity; for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); } return [low, high]; }

/** A level that matters is shown where it does not push the points together. */
function withLine(values, line) {
  const [low, high] = extremes(values), spread = high - low;
  return line == null || line < low - 2 * spread || line > high + 2 * spread ? values : [...values, line];
}

function scatter(f, figure) {
  const WIDTH = 1120, HEIGHT = 420, LEFT = 90, BOTTOM = 46, TOP = 12, RIGHT = 20;
  const all = f.series.flatMap((s) => s.points);
  const range = (values) => { const [low, high] = extremes(values), pad = (high - low || Math.abs(high) || 1) * 0.06; return [low - pad, high + pad]; };
  const [x0, x1] = range(all.map((p) => p.x)), [y0, y1] = range(withLine(all.map((p) => p.y), f.line));
  const X = (v) => LEFT + ((v - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT), Y = (v) => TOP + (1 - (v - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const chart = svg('svg', { viewBox: '0 0 ' + WIDTH + ' ' + HEIGHT, width: '100%', role: 'img', 'aria-label': f.title });
  const grid = (x, y, x2, y2) => chart.append(svg('line', { x1: x, y1: y, x2, y2, stroke: '#ddd' }));
  for (const t of ticks(x0, x1, 8)) { grid(X(t), TOP, X(t), HEIGHT - BOTTOM); chart.append(svg('text', { x: X(t), y: HEIGHT - BOTTOM + 18, 'text-anchor': 'middle' }, format(t))); }
  for (const t of ticks(y0, y1, 6)) { grid(LEFT, Y(t), WIDTH - RIGHT, Y(t)); chart.append(svg('text', { x: LEFT - 8, y: Y(t) + 4, 'text-anchor': 'end' }, format(t))); }
  chart.append(svg('text', { x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, 'text-anchor': 'middle' }, f.x), svg('text', { transform: 'translate(16 ' + HEIGHT / 2 + ') rotate(-90)', 'text-anchor': 'middle' }, f.y));
  if (f.line >= y0 && f.line <= y1) chart.append(svg('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: Y(f.line), y2: Y(f.line), stroke: '#333', 'stroke-dasharray': '3 4' }), svg('text', { x: WIDTH - RIGHT, y: Y(f.line) - 5, 'text-anchor': 'end' }, f.lineLabel));
  const front = all.filter((p) => p.front).sort((a, b) => a.x - b.x);
  chart.append(svg('path', { d: front.map((p, i) => (i === 0 ? 'M' + X(p.x) + ' ' + Y(p.y) : 'H' + X(p.x) + 'V' + Y(p.y))).join(''), fill: 'none', stroke: '#555', 'stroke-width': 1.4 }));
  f.series.forEach((s, i) => s.points.forEach((p) => {
    const point = svg('g', { transform: 'translate(' + X(p.x) + ' ' + Y(p.y) + ')', class: 'point' }, mark(i, p.best ? 8 : 5.5, p.front), svg('title', {}, p.name + ': ' + format(p.x) + ' ' + f.x + ', ' + format(p.y) + ' ' + f.y));
    if (p.best) point.append(svg('text', { x: 12, y: 18, 'font-weight': 600 }, p.name));
    chart.append(point);
  }));
  figure.append(html('p', {}, ...f.series.map((s, i) => html('span', { className: 'key' }, svg('svg', { width: 18, height: 18, viewBox: '-9 -9 18 18' }, mark(i, 5.5, true)), s.name)), html('span', { className: 'note' }, 'filled: on the Pareto front; large: the best')), chart);
  withData(figure, ['setting', f.x, f.y, 'Pareto front'], all.map((p) => [p.name, p.x, p.y, p.front ? 'yes' : 'no']));
}

const DRAW = { lines, bars, scatter };
for (const f of figures) {
  const figure = html('figure', {}, html('figcaption', { textContent: f.title }), html('p', { className: 'note', textContent: f.note }));
  document.getElementById('figures').append(figure);
  DRAW[f.kind](f, figure);
}
`;
