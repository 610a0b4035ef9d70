import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figure, formatValue, median } from './measure.js';
import { namesOf } from './recorded.js';

/**
 * Runs benchmarks of two commits, interleaved, each in a work tree of its own that is installed and
 * built; prints medians and their ratio. Throws for a commit that git does not know, or that has no
 * such benchmark.
 */
export function compareCommits(commits: readonly [string, string], names: readonly string[], rounds: number): void {
  const root = execFileSync('git', ['rev-parse', '--show-toplevel'], { encoding: 'utf8' }).trim();
  const ids = commits.map((commit) => {
    const { status, stdout } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${commit}^{commit}`], {
      encoding: 'utf8',
      cwd: root,
    });
    if (status !== 0) throw new Error(`git knows no commit "${commit}"`);
    return stdout.trim();
  });
  const dir = mkdtempSync(join(tmpdir(), 'sageserve-compare-'));
  const trees = ids.map((_, i) => join(dir, String(i)));
  const run = (command: string, args: readonly string[], cwd: string): string => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
    if (status !== 0)
      throw new Error(
        `${command} ${args.join(' ')} of ${commits[trees.indexOf(cwd)] ?? 'both'} ended with ` +
          `${String(status)}:\n${stderr.trim().split('\n').slice(-8).join('\n')}`,
      );
    return stdout;
  };
  try {
    for (const [i, id] of ids.entries()) {
      console.error(`installing and building ${commits[i]!}`);
      run('git', ['worktree', 'add', '--detach', '--quiet', trees[i]!, id], root);
      run(process.execPath, ['.ci/setup.mjs', 'build'], trees[i]!);
    }
    // By benchmark, figure and commit: the values of the rounds.
    const values = new Map<string, [number[], number[]]>();
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        // Turn about: a machine that warms up, or slows down, does so for both.
        const order = [...trees.entries()];
        for (const [i, tree] of round % 2 === 0 ? order : order.reverse()) {
          console.error(`round ${round + 1} of ${rounds}: ${name} of ${commits[i]!}`);
          const figures = (
            JSON.parse(run(process.execPath, ['benchmarks/dist/bench.js', name, '--json'], tree)) as Record<
              string,
              Figure[]
            >
          )[name]!;
          for (const [f, label] of namesOf(figures).entries()) {
            const key = `${name}: ${label}`;
            const both = values.get(key) ?? [[], []];
            both[i]!.push(figures[f]!.value);
            values.set(key, both);
          }
        }
      }
    }
    const [one, other] = commits.map((commit) => commit.slice(0, 12).padStart(13));
    console.log(`${''.padEnd(86)}${one}${other}${'ratio'.padStart(9)}`);
    for (const [key, [a, b]] of values) {
      const [before, after] = [a, b].map((list) => (list.length === 0 ? undefined : median(list)));
      const text = (value: number | undefined): string => (value === undefined ? '–' : formatValue(value)).padStart(13);
      const known = before !== undefined && after !== undefined && before !== 0;
      const ratio = known ? (after / before).toFixed(3) : '–';
      console.log(`${key.padEnd(86)}${text(before)}${text(after)}${ratio.padStart(9)}`);
    }
  } finally {
    for (const tree of trees) spawnSync('git', ['worktree', 'remove', '--force', tree], { cwd: root });
    rmSync(dir, { recursive: true, force: true });
  }
}
