import { readFile } from 'node:fs/promises';

/** Scripts that the build makes of `reports/browser`, each for a kind of page. */
export type BrowserScript = 'figures' | 'backtest';

/**
 * The code of a script, to stand in a page. From the sources as from what is built of them, this
 * file is one folder below the package.
 */
export function browserScript(name: BrowserScript): Promise<string> {
  return readFile(new URL(`../dist/browser/${name}.js`, import.meta.url), 'utf8');
}
