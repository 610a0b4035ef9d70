import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What a page needs to draw without loading anything: the chart library's code and style. */
export async function chartAssets(): Promise<{ readonly script: string; readonly style: string }> {
  const dist = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.iife.min.js'));
  const [script, style] = await Promise.all([
    readFile(join(dist, 'uPlot.iife.min.js'), 'utf8'),
    readFile(join(dist, 'uPlot.min.css'), 'utf8'),
  ]);
  return { script, style };
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Data for a page's script, which can't end the element that holds it. */
export function embeddedJson(data: unknown): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}

/** What every page looks like. */
export const PAGE_STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
label { margin-right: 1.5rem; } select { font: inherit; }
table { border-collapse: collapse; margin-top: .5rem; } th, td { padding: .2rem .9rem .2rem 0; text-align: right; } th:first-child, td:first-child { text-align: left; white-space: nowrap; }
thead { border-bottom: 1px solid #999; } p.note { color: #555; }
`;
