import { spawn, spawnSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileNames } from '@sageserve/experiments';
import { visible } from '@sageserve/experiments/console';
import { type CommandRun, runCommand as run, smallUnmeasured } from '../fixtures.js';
import { replaceFile, takePlace } from './output-file.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-output-'));
  await writeFile(join(dir, 'quick.json'), JSON.stringify(smallUnmeasured()));
});
afterAll(() => rm(dir, { recursive: true }));

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** The command where no file may be larger than so many kilobytes: what a full disk is like. */
function onFullDisk(kilobytes: number, args: readonly string[]): Promise<CommandRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', [
      '-c',
      `trap '' XFSZ; ulimit -f ${kilobytes}; exec "$0" "$@"`,
      process.execPath,
      cli,
      ...args,
    ]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe.skipIf(process.platform === 'win32')('a disk that takes no more', () => {
  it.each([
    ['a trace as text', ['trace', 'generate', 'out.csv', '--preset', 'small', '--duration', '1d'], 'out.csv'],
    ['a packed trace', ['trace', 'generate', 'out.jsonl.gz', '--preset', 'small', '--duration', '1d'], 'out.jsonl.gz'],
    [
      'a trace as Parquet',
      ['trace', 'generate', 'out.parquet', '--preset', 'small', '--duration', '1d'],
      'out.parquet',
    ],
    ['results', ['simulate', '--duration', '1h', '--strategy', 'static', '--requests', '--out', 'results'], 'results'],
    [
      'results as Parquet',
      ['simulate', '--duration', '1h', '--strategy', 'static', '--requests', '--parquet', '--out', 'packed'],
      'packed',
    ],
    [
      'a comparison',
      ['compare', '--duration', '30m', '--strategy', 'static,reactive', '--out', 'compared'],
      'compared',
    ],
    [
      'a backtest',
      ['forecast', 'backtest', '--preset', 'small', '--duration', '3d', '-m', 'last-value', '--out', 'tested'],
      'tested',
    ],
    ['a sweep', ['sweep', 'sweep.yaml', '--cores', '1', '--out', 'swept'], 'swept'],
  ])('is told with the file, and leaves nothing half-written: %s', async (_, args, name) => {
    await writeFile(
      join(dir, 'sweep.yaml'),
      'scenarios: [./quick.json]\nstrategies: [static]\nset: { duration: 2m }\nseeds: 60\n',
    );
    const at = args.map((arg) => (arg === name || arg === 'sweep.yaml' ? join(dir, arg) : arg));
    const { code, stderr } = await onFullDisk(16, at);
    expect(stderr).toContain(`can't write ${join(dir, name)}`);
    // By the name that it was to have, not by that of a folder beside it.
    expect(stderr).not.toMatch(/\/\.[a-z]+-\w{6}/);
    expect(stderr).toContain('the file would be larger than is allowed');
    expect(stderr).not.toMatch(/\n +at |EFBIG/);
    expect(code).toBe(1);
    const left = (await readdir(dir, { recursive: true })).filter((path) => path.includes(name));
    expect(left.filter((path) => path.endsWith('.partial') || path.endsWith('.lock'))).toEqual([]);
    // A sweep keeps the runs that it has, whole.
    if (name !== 'swept') expect(left.filter((path) => path !== name)).toEqual([]);
    else
      for (const line of (await readFile(join(dir, 'swept', 'runs.jsonl'), 'utf8')).trim().split('\n'))
        expect(() => JSON.parse(line) as unknown).not.toThrow();
  });
});

describe.skipIf(process.platform !== 'linux')('standard output', () => {
  it('that takes no more is told, whether it is a file or not', async () => {
    const { code, stderr } = await new Promise<CommandRun>((resolve) => {
      const child = spawn('bash', [
        '-c',
        `trap '' XFSZ; ulimit -f 4; "$0" "$1" schema > "$2"; echo "$?" >&2`,
        process.execPath,
        cli,
        join(dir, 'schema.json'),
      ]);
      let text = '';
      child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.on('close', () => resolve({ code: Number(text.trim().split('\n').at(-1)), stdout: '', stderr: text }));
    });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("can't write to standard output: the file would be larger than is allowed"),
    ]);
  });
});

describe.skipIf(process.platform === 'win32')('a place', () => {
  it('that others may read is read by them when results stand there', async () => {
    const out = join(dir, 'shared');
    expect((await run(['simulate', '--duration', '1m', '--strategy', 'static', '--out', out])).code).toBe(0);
    const modes = await Promise.all(['', 'static'].map(async (name) => (await stat(join(out, name))).mode & 0o777));
    expect(modes[1]).toBe(modes[0]);
  });

  it('that is a link, a pipe, private or read-only stays that', async () => {
    const at = (name: string): string => join(dir, name);
    await writeFile(at('real.txt'), 'old', { mode: 0o600 });
    await symlink(at('real.txt'), at('link.txt'));
    await replaceFile(at('link.txt'), 'new');
    expect(await readFile(at('real.txt'), 'utf8')).toBe('new');
    expect((await lstat(at('link.txt'))).isSymbolicLink()).toBe(true);
    expect((await stat(at('real.txt'))).mode & 0o777).toBe(0o600);
    spawnSync('mkfifo', [at('pipe')]);
    const reader = spawn('cat', [at('pipe')]);
    const poured = new Promise<string>((resolve) =>
      reader.stdout.on('data', (bytes: Buffer) => resolve(bytes.toString())),
    );
    await replaceFile(at('pipe'), 'poured');
    expect(await poured).toBe('poured');
    expect((await stat(at('pipe'))).isFIFO()).toBe(true);
    await writeFile(at('kept.txt'), 'kept', { mode: 0o444 });
    await expect(replaceFile(at('kept.txt'), 'new')).rejects.toThrow(`can't write ${at('kept.txt')}: it is read-only`);
    expect(await readFile(at('kept.txt'), 'utf8')).toBe('kept');
    await symlink(at('trace-real.csv'), at('trace-link.csv'));
    await writeFile(at('trace-real.csv'), '');
    expect((await run(['trace', 'generate', at('trace-link.csv'), '--duration', '1m'])).code).toBe(0);
    expect((await lstat(at('trace-link.csv'))).isSymbolicLink()).toBe(true);
    expect((await stat(at('trace-real.csv'))).size).toBeGreaterThan(0);
  });
});

describe.skipIf(process.platform === 'win32')('what stands where results go', () => {
  /** What both commands take. */
  const quick = (): string[] => [join(dir, 'quick.json'), '--duration', '1m', '--strategy', 'static'];

  it.each([
    ['simulate', 'static'],
    ['compare', 'small'],
  ])('is kept, and said before anything runs: %s', async (command, name) => {
    const out = await mkdtemp(join(dir, 'kept-'));
    await writeFile(join(out, name), 'mine');
    const over = await run([command, ...quick(), '--out', out]);
    expect([over.code, over.stderr]).toEqual([
      2,
      expect.stringContaining(`${join(out, name)} is there, and no folder of results`),
    ]);
    expect(await readFile(join(out, name), 'utf8')).toBe('mine');
    await rm(join(out, name));
    await mkdir(join(out, name, 'comparison.json'), { recursive: true });
    await mkdir(join(out, name, 'summary.json'), { recursive: true });
    await writeFile(join(out, name, 'comparison.json', 'mine'), '');
    const within = await run([command, ...quick(), '--out', out]);
    expect([within.code, within.stderr]).toEqual([
      2,
      expect.stringMatching(/files that are not results|is no plain file/),
    ]);
    expect(await readdir(join(out, name, 'comparison.json'))).toEqual(['mine']);
  });

  it('is kept where it came while the run was at work', async () => {
    const out = await mkdtemp(join(dir, 'came-'));
    const isResult = (name: string): boolean => name === 'result';
    await mkdir(join(out, 'place'));
    await writeFile(join(out, 'place', 'result'), 'old');
    await writeFile(join(out, 'place', 'mine'), 'mine');
    await mkdir(join(out, 'new'));
    await writeFile(join(out, 'new', 'result'), 'new');
    await takePlace(join(out, 'new'), join(out, 'place'), isResult);
    expect(await readdir(out)).toEqual(['place']);
    expect(await readFile(join(out, 'place', 'mine'), 'utf8')).toBe('mine');
    expect(await readFile(join(out, 'place', 'result'), 'utf8')).toBe('new');
    // What can't be replaced stays, too.
    await writeFile(join(out, 'file'), 'mine');
    await expect(takePlace(join(out, 'place'), join(out, 'file'), isResult)).rejects.toThrow();
    expect(await readFile(join(out, 'file'), 'utf8')).toBe('mine');
    expect(await readdir(out)).toEqual(['file', 'place']);
  });

  it('is the complete result of one, where several write there at once', async () => {
    const out = join(dir, 'together');
    const runs = await Promise.all(
      Array.from({ length: 4 }, (_, i) => run([i % 2 === 0 ? 'simulate' : 'compare', ...quick(), '--out', out])),
    );
    expect(runs.map(({ code, stderr }) => [code, stderr.includes('error')])).toEqual(runs.map(() => [0, false]));
    expect((await readdir(out)).sort()).toEqual(['comparison.json', 'small', 'static']);
    expect((await readdir(join(out, 'static'))).sort()).toEqual([
      'demand.csv',
      'journal.jsonl',
      'summary.json',
      'timeseries.csv',
    ]);
    const trace = join(dir, 'together.csv');
    await writeFile(`${trace}.partial`, 'mine');
    const traces = await Promise.all(
      ['1', '2', '3'].map((seed) =>
        run(['trace', 'generate', trace, '--preset', 'small', '--duration', '2h', '--seed', seed]),
      ),
    );
    expect(traces.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect((await run(['trace', 'inspect', trace])).code).toBe(0);
    expect(await readFile(`${trace}.partial`, 'utf8')).toBe('mine');
    expect((await readdir(dir)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is looked at before the work: folders and pipes in the place of files', async () => {
    const out = await mkdtemp(join(dir, 'odd-'));
    await mkdir(join(out, 'comparison.json'));
    const simulated = await run(['simulate', ...quick(), '--out', out]);
    expect([simulated.code, simulated.stderr]).toEqual([2, expect.stringContaining('comparison.json: it is a folder')]);
    expect(await readdir(out)).toEqual(['comparison.json']);
    await writeFile(join(dir, 'one.yaml'), 'scenarios: [./quick.json]\nstrategies: [static]\nset: { duration: 1m }\n');
    for (const name of ['results.parquet', 'report.html', '.lock', 'runs.jsonl', 'results.json']) {
      const swept = await mkdtemp(join(dir, 'odd-'));
      if (name.endsWith('k') || name.endsWith('n')) spawnSync('mkfifo', [join(swept, name)]);
      else await mkdir(join(swept, name));
      const { code, stderr } = await run(['sweep', join(dir, 'one.yaml'), '--out', swept]);
      expect([name, code, stderr]).toEqual([name, 2, expect.stringContaining(`${join(swept, name)} is no plain file`)]);
      expect(await readdir(swept)).toEqual([name]);
    }
    spawnSync('mkfifo', [join(dir, 'plugin.mjs')]);
    const plugged = await run(['forecast', 'run', '--preset', 'small', '--plugins', join(dir, 'plugin.mjs')]);
    expect([plugged.code, plugged.stderr]).toEqual([2, expect.stringContaining('it is no plain file')]);
  });

  it('may be a link, and is then where that leads; a link to nothing is not replaced', async () => {
    const out = await mkdtemp(join(dir, 'linked-'));
    expect((await run(['simulate', ...quick(), '--out', join(out, 'real')])).code).toBe(0);
    const before = await readFile(join(out, 'real', 'static', 'summary.json'), 'utf8');
    await mkdir(join(out, 'by'));
    await symlink(join('..', 'real', 'static'), join(out, 'by', 'static'));
    expect((await run(['simulate', ...quick(), '--seed', '2', '--out', join(out, 'by')])).code).toBe(0);
    expect((await lstat(join(out, 'by', 'static'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(out, 'real', 'static', 'summary.json'), 'utf8')).not.toBe(before);
    await symlink('nowhere', join(out, 'by', 'reactive'));
    await symlink('nowhere.csv', join(out, 'trace.csv'));
    const results = await run(['simulate', '--duration', '1m', '--strategy', 'reactive', '--out', join(out, 'by')]);
    const trace = await run(['trace', 'generate', join(out, 'trace.csv'), '--duration', '1m']);
    expect([results.code, results.stderr, trace.code, trace.stderr]).toEqual([
      2,
      expect.stringContaining('is a link to what is not there'),
      2,
      expect.stringContaining('it is a link to what is not there'),
    ]);
    expect((await readdir(out)).sort()).toEqual(['by', 'real', 'trace.csv']);
  });

  it('is a folder of its own for each strategy, and none is called as what stands beside them', async () => {
    const out = await mkdtemp(join(dir, 'shared-'));
    await mkdir(join(out, 'target'));
    await mkdir(join(out, 'by'));
    for (const name of ['static', 'reactive']) await symlink(join('..', 'target'), join(out, 'by', name));
    const both = await run(['simulate', '--duration', '1m', '--strategy', 'static,reactive', '--out', join(out, 'by')]);
    expect([both.code, both.stderr]).toEqual([
      2,
      expect.stringContaining('the results of two strategies lead to one folder'),
    ]);
    expect(await readdir(join(out, 'target'))).toEqual([]);
    await writeFile(
      join(out, 'odd.mjs'),
      "export default { strategies: { 'comparison.json': () => ({ scaling: { name: 'x', decide: () => [] } }) } };\n",
    );
    await writeFile(
      join(out, 'odd.json'),
      JSON.stringify({ ...smallUnmeasured(), duration: '1m', plugins: ['./odd.mjs'], strategies: ['comparison.json'] }),
    );
    expect((await run(['simulate', join(out, 'odd.json'), '--out', join(out, 'odd')])).code).toBe(0);
    expect((await readdir(join(out, 'odd'))).sort()).toEqual(['comparison.json', 'comparison.json-2']);
  });

  it('may be a pipe that nobody reads: that is let go of at Ctrl-C', async () => {
    spawnSync('mkfifo', [join(dir, 'unread')]);
    const { code } = await run(['schema', '--out', join(dir, 'unread')], (child) =>
      setTimeout(() => child.kill('SIGINT'), 1_000),
    );
    expect(code).toBe(130);
  });
});

describe.skipIf(process.platform === 'win32')('a standard error that nobody reads', () => {
  it('loses no results', async () => {
    const ended = spawnSync('bash', [
      '-c',
      'cd "$2"; "$0" "$1" simulate --duration 2m --strategy static,reactive --out unheard 2>&1 >/dev/null | ' +
        'true; echo "${PIPESTATUS[0]}"',
      process.execPath,
      cli,
      dir,
    ]);
    expect(ended.stdout.toString().trim()).toBe('0');
    expect((await readdir(join(dir, 'unheard'))).sort()).toEqual(['comparison.json', 'reactive', 'static']);
  });
});

describe('journals of a comparison', () => {
  it('are one for each run, however long its strategy is called', async () => {
    const strategies = [1, 2].map((cooldownMs) => ({
      name: 'reactive',
      scaleOutAbove: 0.12345678901234567,
      scaleInBelow: 0.012345678901234567,
      cooldownMs: 60_000 + cooldownMs / 3,
    }));
    await writeFile(
      join(dir, 'long.json'),
      JSON.stringify({ ...smallUnmeasured(), name: 'long', duration: '2m', strategies }),
    );
    const { code, stderr } = await run(['compare', join(dir, 'long.json'), '--seeds', '2', '--out', join(dir, 'long')]);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    const journals = (await readdir(join(dir, 'long', 'long'))).filter((name) => name.startsWith('journal'));
    expect(journals).toHaveLength(4);
    const heads = await Promise.all(
      journals.map(
        async (name) =>
          JSON.parse((await readFile(join(dir, 'long', 'long', name), 'utf8')).split('\n')[0]!) as {
            strategy: string;
            seed: number;
          },
      ),
    );
    expect(new Set(heads.map(({ strategy, seed }) => `${strategy} ${seed}`)).size).toBe(4);
  });
});

describe('a folder where a file is to be', () => {
  it('is told as such', async () => {
    await mkdir(join(dir, 'folder.csv'));
    const { code, stderr } = await run(['trace', 'generate', join(dir, 'folder.csv'), '--duration', '1m']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`can't write ${join(dir, 'folder.csv')}: it is a folder`),
    ]);
    await mkdir(join(dir, 'journal.jsonl'));
    for (const args of [['forecast', 'run', '-c'], ['plan', '-d'], ['plan', '--current'], ['simulate'], ['sweep']]) {
      const { code: refused, stderr: said } = await run([...args, join(dir, 'folder.csv')]);
      expect(said).toContain('it is a folder');
      expect(said).not.toMatch(/EISDIR|defect/);
      expect(refused).toBe(2);
    }
    expect((await run(['plan', '-d', join(dir, 'folder.csv')])).stderr).toContain('--demand');
    const explained = await run(['explain', join(dir, 'journal.jsonl'), '--endpoint', 'x']);
    expect(explained.stderr).not.toMatch(/\n +at /);
    expect(explained.stderr).toContain('journal.jsonl');
  });
});

describe('names', () => {
  it('of strategies are no paths: what is written stays in its folder', async () => {
    const base = join(dir, 'names');
    await mkdir(base);
    await writeFile(
      join(base, 'evil.mjs'),
      `export default { strategies: { '../evil': () => ({ scaling: { name: 'evil', decide: () => [] } }), ` +
        `'/tmp/evil': () => ({ scaling: { name: 'evil', decide: () => [] } }) } };`,
    );
    await writeFile(
      join(base, 'evil.json'),
      JSON.stringify({
        ...smallUnmeasured(),
        duration: '2m',
        plugins: ['./evil.mjs'],
        strategies: ['../evil', '/tmp/evil'],
      }),
    );
    const { code, stderr } = await run(['simulate', join(base, 'evil.json'), '--out', join(base, 'out')]);
    expect(stderr).not.toMatch(/\n +at /);
    if (code === 0) {
      expect((await readdir(base)).sort()).toEqual(['evil.json', 'evil.mjs', 'out']);
      expect((await readdir(join(base, 'out'))).every((name) => /^[\w.-]+$/.test(name) && !name.startsWith('.'))).toBe(
        true,
      );
    } else expect([code, stderr]).toEqual([2, expect.stringContaining('../evil')]);
    const names = new FileNames();
    const taken = ['../evil', '/tmp/evil', '..', 'a/b', 'a-b', 'a-b-2', 'A-b', 'ok.1'].map((name) => names.take(name));
    expect(taken).toEqual(['evil', 'tmp-evil', 'unnamed', 'a-b', 'a-b-2', 'a-b-2-2', 'A-b-3', 'ok.1']);
  });

  it('do not steer a terminal', async () => {
    expect(visible('a\u001b[2Jb\u0007\u202ec\td\n')).toBe('a\\u001b[2Jb\\u0007\\u202ec\td\n');
    await writeFile(
      join(dir, 'escape.csv'),
      'arrived_at_s,prompt_tokens,output_tokens,model\n1,10,2,"evil\u001b[2J\u001b]0;x\u0007"\n',
    );
    for (const args of [
      ['trace', 'head'],
      ['trace', 'inspect'],
      ['simulate', '--trace'],
    ]) {
      const { stdout, stderr } = await run([...args, join(dir, 'escape.csv')]);
      expect(stdout + stderr).toContain('evil\\u001b[2J');
      expect(stdout + stderr).not.toContain('\u001b');
    }
  });
});

describe('what is read back', () => {
  const entry = {
    kind: 'decision',
    atMs: 0,
    endpointId: 'r/m/s/p',
    seen: { readyInstances: 1, provisioningInstances: 0, drainingInstances: 0 },
    targetInstances: 2,
    reason: 'x',
    outcome: 'applied',
  };
  it.each([
    ['null', 'journal.jsonl:1: is no entry of a journal'],
    ['{"kind":"decision"}', 'journal.jsonl:1: is no entry of a journal: atMs is missing or wrong'],
    [
      JSON.stringify({ ...entry, seen: { ...entry.seen, queuedTokens: null } }),
      'journal.jsonl:1: is no entry of a journal: seen.queuedTokens is missing or wrong',
    ],
    [JSON.stringify({ ...entry, reachedInstances: null }), 'reachedInstances is missing or wrong'],
    [
      JSON.stringify({ kind: 'run', scenario: 'x', strategy: 'x', startEpochMs: 1e300 }),
      'startEpochMs is missing or wrong',
    ],
    [
      JSON.stringify({
        kind: 'plan',
        atMs: 0,
        status: 'optimal',
        solver: 'x',
        targets: {},
        forecasts: [
          { modelId: 'm', regionId: 'r', method: 'x', startMs: 0, stepMs: 1e308, expected: [], low: [], high: [] },
        ],
        shortfall: [],
      }),
      'stepMs is missing or wrong',
    ],
    [
      JSON.stringify({
        kind: 'plan',
        atMs: 0,
        status: 'optimal',
        solver: 'x',
        targets: { a: null },
        forecasts: [],
        shortfall: [],
      }),
      'targets.a is missing or wrong',
    ],
    ['{"kind":', 'journal.jsonl:1: is no JSON'],
  ])('is checked: %s', async (line, message) => {
    const folder = await mkdtemp(join(dir, 'journal-'));
    await writeFile(join(folder, 'journal.jsonl'), `${line}\n`);
    const { code, stderr } = await run(['explain', join(folder, 'journal.jsonl'), '--endpoint', 'r/m/s/p']);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n +at /);
    expect(code).not.toBe(0);
  });

  it('is a journal where nothing but what an explanation needs is there', async () => {
    await writeFile(join(dir, 'least.jsonl'), `${JSON.stringify(entry)}\n`);
    const { code, stdout } = await run(['explain', join(dir, 'least.jsonl'), '--endpoint', 'r/m/s/p']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('1 → 2: x')]);
  });

  it('tells of endpoints whose names have slashes, in pools or not, and needs no seed', async () => {
    const forecast = (modelId: string) => ({
      modelId,
      regionId: 'eu',
      method: `of ${modelId}`,
      startMs: 0,
      stepMs: 600_000,
      expected: [5],
      low: [4],
      high: [6],
    });
    const plan = {
      kind: 'plan',
      atMs: 0,
      status: 'optimal',
      solver: 'x',
      targets: { 'eu/meta/llama/h100': { held: 3, target: 7 }, 'eu/meta/llama/h100/x': { held: 1, target: 2 } },
      forecasts: [forecast('meta'), forecast('meta/llama')],
      shortfall: [],
    };
    const lines = [
      { kind: 'run', scenario: 's', strategy: 'sage' },
      plan,
      ...['eu/meta/llama/h100', 'eu/meta/llama/h100/batch'].map((endpointId) => ({ ...entry, endpointId })),
    ];
    await writeFile(join(dir, 'slashes.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    for (const endpoint of ['eu/meta/llama/h100', 'eu/meta/llama/h100/batch']) {
      const { code, stdout, stderr } = await run(['explain', join(dir, 'slashes.jsonl'), '--endpoint', endpoint]);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toContain(`${endpoint} at 00:00:00 (s, sage)`);
      expect(stdout).toContain('3 held then, 7 planned');
      expect(stdout).toContain('forecast by of meta/llama');
    }
  });
});
