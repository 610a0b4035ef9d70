import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandRun, runCommand as run } from '../fixtures.js';

const posix = process.platform !== 'win32';
const ROWS = 12_031;

let dir: string;
let csv: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-pipes-'));
  csv = join(dir, 'trace.csv');
  // Half a megabyte: many times what a pipe holds.
  await writeFile(
    csv,
    `arrived_at_s,prompt_tokens,output_tokens\n${Array.from({ length: ROWS }, (_, i) => `${(i * 0.05).toFixed(2)},100,10`).join('\n')}\n`,
  );
});
afterAll(() => rm(dir, { recursive: true }));

/** The command with a file poured into its standard input. */
function poured(args: readonly string[], file = csv): Promise<CommandRun> {
  return run(args, (child) => {
    // One that refuses what it is given ends before all of it has been poured.
    child.stdin!.on('error', () => undefined);
    spawn('cat', [file]).stdout.pipe(child.stdin!);
  });
}
function fifo(name: string): string {
  const path = join(dir, name);
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  return path;
}

describe.skipIf(!posix)('a trace from a pipe', () => {
  it('is read whole, whatever had to be looked at to know its format', async () => {
    for (const args of [[], ['--skip-bad-rows']]) {
      const { code, stdout } = await poured(['trace', 'inspect', '/dev/stdin', '--json', ...args]);
      expect([code, (JSON.parse(stdout) as { total: { requests: number } }).total.requests]).toEqual([0, ROWS]);
    }
    const simulated = await poured(['simulate', '--trace', '/dev/stdin', '--strategy', 'reactive', '--json']);
    expect(JSON.parse(simulated.stdout)).toMatchObject({ strategies: [{ total: { arrived: ROWS, completed: ROWS } }] });
  });

  it('is read from a named pipe too, packed where its name says so', async () => {
    const path = fifo('trace.csv.gz');
    const packed = join(dir, 'packed.csv.gz');
    await writeFile(packed, gzipSync(`arrived_at_s,prompt_tokens,output_tokens\n${'1,10,2\n'.repeat(5_000)}`));
    const { stdout } = await run(
      ['trace', 'inspect', path, '--json'],
      () => void spawn('sh', ['-c', 'cat "$0" > "$1"', packed, path]),
    );
    expect((JSON.parse(stdout) as { total: { requests: number } }).total.requests).toBe(5_000);
  });

  it.each([
    ['a bad row', 'arrived_at_s,prompt_tokens,output_tokens\\n1,x,2\\n', 'trace.csv'],
    ['a format that nobody knows', 'what,is,this\\n1,2,3\\n', 'trace.csv'],
    ['a Parquet file', '', 'trace.parquet'],
  ])('is let go of when it has %s, though more may come', async (_, text, name) => {
    const path = fifo(`open-${name.length}-${text.length}.${name}`);
    // Until it is ended, the pipe stays open.
    const writer = spawn('sh', ['-c', `exec 3> "$0"; printf '${text}' >&3; exec sleep 60`, path]);
    const { code, stderr } = await run(['trace', 'inspect', path]);
    const open = writer.exitCode === null;
    writer.kill();
    expect([code, open, stderr]).toEqual([expect.any(Number), true, expect.stringContaining('error: ')]);
    expect(code).not.toBe(0);
  });

  it('can be read once: what would read it again is refused before anything runs', async () => {
    const several = await poured(['simulate', '--trace', '/dev/stdin', '--strategy', 'static,reactive']);
    expect(several.code).toBe(2);
    expect(several.stderr).toMatch(/\/dev\/stdin is a pipe, which can be read once; here it is read \d times/);
    const planning = await poured(['simulate', '--trace', '/dev/stdin', '--strategy', 'sage']);
    expect([planning.code, planning.stderr]).toEqual([2, expect.stringContaining('is a pipe')]);
    const compared = await poured(['compare', '--preset', 'small', '--trace', '/dev/stdin', '--strategy', 'static']);
    expect([compared.code, compared.stdout]).toEqual([0, expect.stringContaining('Not shown: how far that is from')]);
    const swept = await poured([
      'compare',
      '--preset',
      'small',
      '--trace',
      '/dev/stdin',
      '--strategy',
      'static',
      '--gap-thresholds',
      '2,5',
    ]);
    expect([swept.code, swept.stderr]).toEqual([2, expect.stringContaining('here it is read 4 times')]);
  });

  it.each(['forecast run -c', 'explain --endpoint x', 'simulate', 'sweep', 'plan -d', 'plan --current'])(
    'or anything else that is a pipe to which nobody writes is let go of at Ctrl-C: %s',
    async (command) => {
      const path = fifo(`silent-${command.replaceAll(' ', '')}`);
      const { code } = await run([...command.split(' '), path], (child) =>
        setTimeout(() => child.kill('SIGINT'), 1_500),
      );
      expect(code).toBe(130);
    },
  );

  it('that nobody writes to is let go of at Ctrl-C', async () => {
    const path = fifo('silent.csv');
    const { code } = await run(['trace', 'inspect', path], (child) => setTimeout(() => child.kill('SIGINT'), 1_500));
    expect(code).toBe(130);
  });
});
