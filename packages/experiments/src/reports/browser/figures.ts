import type { Figure } from '../figure.js';
import { drawBars } from './bars.js';
import { embedded, html, place } from './elements.js';
import { drawLines } from './lines.js';
import { drawScatter } from './scatter.js';

for (const f of embedded() as readonly Figure[]) {
  const figure = html(
    'figure',
    {},
    html('figcaption', { textContent: f.title }),
    html('p', { className: 'note', textContent: f.note }),
  );
  place('figures').append(figure);
  if (f.kind === 'lines') drawLines(f, figure);
  else if (f.kind === 'bars') drawBars(f, figure);
  else drawScatter(f, figure);
}
