import type { Drawn } from '../figure.js';
import { svg } from './elements.js';

// Lines are told apart by their dashes, bars by their patterns and points by their shapes, so that
// colour is never needed.
const INK = [
  '#111111',
  '#b3420e',
  '#1f5f99',
  '#5b2a86',
  '#2f6b2f',
  '#8a6d00',
  '#7a1f3d',
  '#0f766e',
  '#c2185b',
  '#3949ab',
  '#6d4c41',
  '#558b2f',
  '#ad6a00',
  '#00838f',
  '#880e4f',
] as const;
/** Of what is no strategy's. */
const GREY = ['#222222', '#777777', '#aaaaaa', '#555555'] as const;
/** Of all but the first, whose line is whole. */
const DASH: readonly (readonly number[])[] = [
  [9, 4],
  [2, 3],
  [12, 3, 2, 3],
  [5, 5],
  [1, 5],
  [16, 5],
  [8, 2, 2, 2, 2, 2],
  [4, 2],
  [20, 4, 4, 4],
  [3, 7],
  [14, 3, 3, 3, 3, 3],
  [8, 8],
  [1, 2],
  [26, 6],
  [10, 2, 5, 6],
];

/** The first for itself, the others by turns. */
const byTurns = <T>(all: readonly T[], number: number): T =>
  all[number === 0 ? 0 : 1 + ((number - 1) % (all.length - 1))]!;

/** What stands for one line, bar or point. `i` is its place in its figure. */
export interface Look {
  readonly colour: string;
  readonly dash: number[];
  readonly width: number;
  /** Of its pattern and shape. */
  readonly number: number;
}

/** A strategy looks the same in every figure; ours the strongest. */
export function look({ ink, strong = false }: Drawn, i: number): Look {
  const number = ink ?? i;
  return {
    colour: ink === undefined ? GREY[i % GREY.length]! : byTurns(INK, ink),
    dash: number === 0 ? [] : [...DASH[(number - 1) % DASH.length]!],
    width: strong ? 3.2 : 1.5,
    number,
  };
}

type Shape = readonly [tag: string, attributes: Readonly<Record<string, string | number>>];
const WHITE: Shape = ['rect', { width: 8, height: 8, fill: '#fff' }];
/** Each in the colour of what it stands for. */
const PATTERNS: readonly ((colour: string) => readonly Shape[])[] = [
  (colour) => [['rect', { width: 8, height: 8, fill: colour }]],
  (colour) => [WHITE, ['path', { d: 'M0 8L8 0M-2 2L2 -2M6 10L10 6', stroke: colour, 'stroke-width': 2 }]],
  (colour) => [WHITE, ['circle', { cx: 4, cy: 4, r: 2, fill: colour }]],
  (colour) => [WHITE, ['path', { d: 'M0 2H8M0 6H8', stroke: colour, 'stroke-width': 1.6 }]],
  (colour) => [WHITE, ['path', { d: 'M2 0V8M6 0V8', stroke: colour, 'stroke-width': 1.6 }]],
  (colour) => [WHITE, ['path', { d: 'M0 0L8 8M8 0L0 8', stroke: colour, 'stroke-width': 1.4 }]],
  (colour) => [
    WHITE,
    ['rect', { width: 4, height: 4, fill: colour }],
    ['rect', { x: 4, y: 4, width: 4, height: 4, fill: colour }],
  ],
  (colour) => [['rect', { width: 8, height: 8, fill: colour, 'fill-opacity': 0.45 }]],
];

/** What a bar is filled with, which the page is given with its first use. */
export function pattern({ colour, number }: Look): string {
  const id = `p${number}-${colour.slice(1)}`;
  if (document.getElementById(id) === null)
    definitions().append(
      svg(
        'pattern',
        {
          id,
          width: 8,
          height: 8,
          patternUnits: 'userSpaceOnUse',
          // Each pattern a second time, as another.
          patternTransform: number < PATTERNS.length ? '' : 'rotate(25) scale(1.8)',
        },
        ...PATTERNS[number % PATTERNS.length]!(colour).map(([tag, attributes]) => svg(tag, attributes)),
      ),
    );
  return `url(#${id})`;
}

function definitions(): Element {
  const known = document.getElementById('defs');
  if (known !== null) return known;
  const defs = svg('defs', { id: 'defs' });
  document.body.append(svg('svg', { width: 0, height: 0, style: 'position:absolute' }, defs));
  return defs;
}

const SHAPES: readonly ((r: number) => SVGElement)[] = [
  (r) => svg('circle', { r }),
  (r) => svg('rect', { x: -r, y: -r, width: 2 * r, height: 2 * r }),
  (r) => svg('path', { d: `M0 ${-1.3 * r}L${1.3 * r} ${r}H${-1.3 * r}Z` }),
  (r) => svg('path', { d: `M0 ${-1.4 * r}L${1.4 * r} 0L0 ${1.4 * r}L${-1.4 * r} 0Z` }),
  (r) => svg('path', { d: `M${-r} ${-r}L${r} ${r}M${-r} ${r}L${r} ${-r}`, 'stroke-width': 2.4 }),
  (r) => svg('path', { d: `M0 ${-1.3 * r}V${1.3 * r}M${-1.3 * r} 0H${1.3 * r}`, 'stroke-width': 2.4 }),
  (r) => svg('path', { d: `M0 ${1.3 * r}L${1.3 * r} ${-r}H${-1.3 * r}Z` }),
  (r) => svg('ellipse', { rx: 1.5 * r, ry: 0.8 * r }),
];

/** A point, at the origin. */
export function mark({ colour, number }: Look, r: number, filled: boolean): SVGElement {
  const shape = SHAPES[number % SHAPES.length]!(r);
  shape.setAttribute('fill', filled ? colour : '#fff');
  shape.setAttribute('stroke', colour);
  if (number < SHAPES.length) return shape;
  // Each shape a second time, with a hole.
  const hole = { r: r / 2.5, fill: filled ? '#fff' : colour, stroke: 'none' };
  return svg('g', {}, shape, svg('circle', hole));
}

/** A piece of a line, beside its name. */
export function lineSample({ colour, dash, width }: Look): SVGElement {
  const line = { x1: 0, x2: 44, y1: 6, y2: 6, stroke: colour, 'stroke-width': width };
  return svg('svg', { width: 44, height: 12 }, svg('line', { ...line, 'stroke-dasharray': dash.join(' ') }));
}
