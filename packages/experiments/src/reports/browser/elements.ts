const SVG = 'http://www.w3.org/2000/svg';

/** An element of a drawing. */
export function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly (Node | string)[]
): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Letters that are read on whatever is drawn under them. */
export const HALO = { 'paint-order': 'stroke', stroke: '#fff', 'stroke-width': 3 } as const;

/** A drawing that keeps its letters legible in a narrow window, which then scrolls. */
export function scrolled(drawing: SVGElement): HTMLElement {
  drawing.style.minWidth = '720px';
  return html('div', { className: 'wide' }, drawing);
}

/** An element of the page. */
export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** The element of that id, which the page has. */
export function place<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** What the page is to draw, as whoever wrote it embedded it. */
export function embedded(): unknown {
  return JSON.parse(place('data').textContent ?? '');
}

/** A row of a table. */
export function addRow(
  parent: HTMLTableSectionElement,
  tag: 'th' | 'td',
  texts: readonly (string | null | undefined)[],
): void {
  const row = parent.insertRow();
  for (const text of texts) row.append(html(tag, { textContent: text ?? '' }));
}
