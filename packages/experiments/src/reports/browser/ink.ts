import { svg } from './elements.js';

// Lines are told apart by their dashes, bars by their patterns and points by their shapes, so that
// colour is never needed.
const INK = ['#111111', '#b3420e', '#1f5f99', '#5b2a86', '#2f6b2f', '#8a6d00', '#7a1f3d', '#556070'] as const;
const DASH: readonly (readonly number[])[] = [
  [],
  [9, 4],
  [2, 3],
  [12, 3, 2, 3],
  [5, 5],
  [1, 5],
  [16, 5],
  [8, 2, 2, 2, 2, 2],
];

/** Colour of the line, bar or point of that number. */
export const ink = (i: number): string => INK[i % 8]!;
/** Dashes of the line of that number. */
export const dash = (i: number): number[] => [...DASH[i % 8]!];

type Shape = readonly [tag: string, attributes: Readonly<Record<string, string | number>>];
const WHITE: Shape = ['rect', { width: 8, height: 8, fill: '#fff' }];
const PATTERNS: readonly (readonly Shape[])[] = [
  [['rect', { width: 8, height: 8, fill: INK[0] }]],
  [WHITE, ['path', { d: 'M0 8L8 0M-2 2L2 -2M6 10L10 6', stroke: INK[1], 'stroke-width': 2 }]],
  [WHITE, ['circle', { cx: 4, cy: 4, r: 2, fill: INK[2] }]],
  [WHITE, ['path', { d: 'M0 2H8M0 6H8', stroke: INK[3], 'stroke-width': 1.6 }]],
  [WHITE, ['path', { d: 'M2 0V8M6 0V8', stroke: INK[4], 'stroke-width': 1.6 }]],
  [WHITE, ['path', { d: 'M0 0L8 8M8 0L0 8', stroke: INK[5], 'stroke-width': 1.4 }]],
  [['rect', { width: 8, height: 8, fill: '#ddd' }]],
  [['rect', { width: 8, height: 8, fill: '#888' }]],
];

/** The filling of the bar of that number, which the page is given with its first use. */
export function pattern(i: number): string {
  const id = `p${i}`;
  if (document.getElementById(id) === null)
    definitions().append(
      svg(
        'pattern',
        { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse' },
        ...PATTERNS[i % 8]!.map(([tag, attributes]) => svg(tag, attributes)),
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

/** The point of that number, at the origin. */
export function mark(i: number, r: number, filled: boolean): SVGElement {
  const shape = SHAPES[i % 8]!(r);
  shape.setAttribute('fill', filled ? ink(i) : '#fff');
  shape.setAttribute('stroke', ink(i));
  return shape;
}
