import { addRow, html } from './elements.js';
import { format } from './numbers.js';

type Cell = string | number | null | undefined;

/**
 * Puts the data of a figure under it: a table, which is made when somebody looks, and a CSV to
 * take along.
 */
export function withData(
  figure: HTMLElement,
  title: string,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): void {
  const details = html('details', {}, html('summary', { textContent: 'data', ariaLabel: `data of ${title}` }));
  const csv = [head, ...rows].map((row: readonly Cell[]) => row.map(csvField).join(',')).join('\n');
  const link = html('a', {
    textContent: 'as CSV',
    ariaLabel: `${title} as CSV`,
    download: `${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.csv`,
    href: URL.createObjectURL(new Blob([csv], { type: 'text/csv' })),
  });
  details.addEventListener('toggle', () => {
    if (details.querySelector('table') !== null) return;
    const table = html('table', {}, html('caption', { textContent: title }));
    addRow(table.createTHead(), 'th', head);
    const body = table.createTBody();
    for (const row of rows)
      addRow(
        body,
        'td',
        row.map((cell) => (typeof cell === 'number' ? format(cell) : (cell ?? '–'))),
      );
    details.append(html('div', {}, table));
  });
  details.append(link);
  figure.querySelector('details')?.remove();
  figure.append(details);
}

function csvField(cell: Cell): string {
  const text = cell === null || cell === undefined ? '' : String(cell);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
