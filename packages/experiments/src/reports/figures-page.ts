import type { Figure } from './figure.js';
import { browserScript } from '../browser-script.js';
import { chartAssets, embeddedJson, escapeHtml, PAGE_STYLE } from './page.js';

/**
 * A page of its own, without anything to load: figures, each with its data, and a table, whose rows
 * are HTML.
 */
export async function figuresPage(page: {
  readonly title: string;
  readonly description: string | undefined;
  /** What it comes to, sentence by sentence, above everything. */
  readonly verdict?: readonly string[];
  /** What it is about, under the verdict. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly note: string;
  readonly figures: readonly Figure[];
  /** Small tables above the figures. */
  readonly tables?: readonly SmallTable[];
  readonly table: string;
}): Promise<string> {
  const [{ script, style }, drawing] = await Promise.all([chartAssets(), browserScript('figures')]);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(page.title)}</title>
<style>${style}${PAGE_STYLE}
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .95rem; } dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } caption { text-align: left; font-weight: 600; } tbody th { font-weight: 400; } figure { margin: 2.5rem 0; } figcaption { font-weight: 600; } details { margin-top: .4rem; } details table { font-size: 13px; }
details > div { max-height: 24rem; overflow: auto; } tr.section th { padding-top: .8rem; text-align: left; font-weight: 700; }
svg text { font: 12px system-ui, sans-serif; } .key { display: inline-block; margin-right: 1.2rem; white-space: nowrap; } .key svg { vertical-align: -3px; margin-right: .3rem; } .note { color: #555; } .verdict { font-size: 1.1rem; border-left: 4px solid #2a6fdb; padding-left: .8rem; }
</style>
</head>
<body>
<h1>${escapeHtml(page.title)}</h1>
${page.verdict === undefined ? '' : `<p class="verdict">${page.verdict.map(escapeHtml).join('<br>')}</p>`}
<p>${escapeHtml(page.description ?? '')}</p>
${factsList(page.facts ?? [])}
<p class="note">${page.note}</p>
${(page.tables ?? []).map(smallTable).join('\n')}
<div id="figures"></div>
<h2>All figures</h2>
<div class="wide"><table id="table">${page.table}</table></div>
<script>${script}</script>
<script type="application/json" id="data">${embeddedJson(page.figures)}</script>
<script>${drawing}</script>
</body>
</html>
`;
}

/** Texts in columns, the first of which names the row. */
interface SmallTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function smallTable({ title, head, rows }: SmallTable): string {
  const cells = rows.map(
    ([name = '', ...others]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${others.map((one) => `<td>${escapeHtml(one)}</td>`).join('')}</tr>`,
  );
  return (
    `<div class="wide"><table><caption>${escapeHtml(title)}</caption>` +
    `<thead><tr>${head.map((one) => `<th scope="col">${escapeHtml(one)}</th>`).join('')}</tr></thead>` +
    `<tbody>${cells.join('\n')}</tbody></table></div>`
  );
}

function factsList(facts: readonly (readonly [name: string, value: string])[]): string {
  if (facts.length === 0) return '';
  const items = facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  return `<dl>${items.join('')}</dl>`;
}
