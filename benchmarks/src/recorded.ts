import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Figure } from './measure.js';

const FILE = fileURLToPath(new URL('../recorded/figures.json', import.meta.url));

/** Figures of one benchmark, and what they are of. */
interface Recorded {
  readonly commit: string;
  readonly date: string;
  readonly machine: string;
  readonly figures: Readonly<Record<string, number>>;
}

type File = Readonly<Record<string, Recorded>>;

export function readRecorded(): File {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as File) : {};
}

/**
 * Keeps figures, so that the next run can be seen beside them. Names that stand several times (a
 * line under each of several) are numbered.
 */
export function record(results: Readonly<Record<string, readonly Figure[]>>, machine: string): void {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const [commit, date] = [git('rev-parse', '--short', 'HEAD'), git('show', '-s', '--format=%cs')];
  const next: Record<string, Recorded> = { ...readRecorded() };
  for (const [name, figures] of Object.entries(results))
    next[name] = {
      commit,
      date,
      machine,
      figures: Object.fromEntries(namesOf(figures).map((key, i) => [key, figures[i]!.value])),
    };
  writeFileSync(FILE, `${JSON.stringify(next, null, 2)}\n`);
}

/** A name for each figure that no other has. */
export function namesOf(figures: readonly Figure[]): string[] {
  const seen = new Map<string, number>();
  return figures.map(({ name }) => {
    const plain = name.trim();
    const times = (seen.get(plain) ?? 0) + 1;
    seen.set(plain, times);
    return times === 1 ? plain : `${plain} (${times})`;
  });
}
