import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { wallClockMs } from '@sageserve/experiments/console';
import { runCommand as run, smallUnmeasured } from './fixtures.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-ending-'));
  await writeFile(
    join(dir, 'trace.csv'),
    `arrived_at_s,prompt_tokens,output_tokens\n${Array.from({ length: 30_000 }, (_, i) => `${i},100,10`).join('\n')}\n`,
  );
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rm(dir, { recursive: true }));

/** A run whose router does that at its first request, with its results going to a folder. */
async function runWith(
  route: string,
  during?: Parameters<typeof run>[1],
  out = 'out',
): Promise<{ code: number | null; stderr: string; left: string[]; place: string }> {
  const own = await mkdtemp(join(dir, 'run-'));
  await writeFile(
    join(own, 'plugin.mjs'),
    `export default { regionRouters: { mine: () => ({ name: 'mine', route() { ${route} } }) } };\n`,
  );
  const scenario = {
    ...smallUnmeasured(),
    duration: '5m',
    plugins: ['./plugin.mjs'],
    regionRouter: 'mine',
    strategies: ['static'],
  };
  await writeFile(join(own, 'scenario.json'), JSON.stringify(scenario));
  const { code, stderr } = await run(['simulate', join(own, 'scenario.json'), '--out', join(own, out)], during);
  return {
    code,
    stderr,
    left: (await readdir(own)).filter((name) => name !== 'plugin.mjs' && name !== 'scenario.json' && name !== 'out'),
    place: own,
  };
}

it('ends at Ctrl-C whatever it is at, and leaves nothing incomplete behind', async () => {
  let sinceMs = 0;
  const { code, stderr, left } = await runWith(`console.error('busy'); for (;;);`, (child) => {
    child.stderr!.on('data', (text: Buffer) => {
      if (sinceMs > 0 || !text.includes('busy')) return;
      sinceMs = wallClockMs();
      child.kill('SIGINT');
    });
  });
  expect([code, stderr.split('\n').at(-2), left]).toEqual([130, 'interrupted: nothing incomplete was left behind', []]);
  expect(wallClockMs() - sinceMs).toBeLessThan(5_000);
});

it('ends with an error where there is no memory left, and leaves nothing incomplete behind', async () => {
  vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=200');
  const { code, stderr, left } = await runWith('const all = []; for (;;) all.push({ more: [all.length] });');
  expect([code, stderr.split('\n')[0], left]).toEqual([1, 'error: there is not enough memory for this', []]);
});

it('does not wait for what a plug-in left running', async () => {
  await writeFile(join(dir, 'forever.mjs'), 'setInterval(() => {}, 1000); export default { forecasters: {} };\n');
  await writeFile(
    join(dir, 'counts.csv'),
    `time,count\n${Array.from({ length: 50 }, (_, t) => `${t * 600},5`).join('\n')}\n`,
  );
  const { code } = await run([
    'forecast',
    'run',
    '-c',
    join(dir, 'counts.csv'),
    '-m',
    'last-value',
    '--plugins',
    join(dir, 'forever.mjs'),
  ]);
  expect(code).toBe(0);
});

it('prints all that it has to, however slowly that is read', async () => {
  const { code, stdout } = await run(['trace', 'head', join(dir, 'trace.csv'), '-n', '30000', '--json'], (child) => {
    child.stdout!.pause();
    setTimeout(() => child.stdout!.resume(), 1_500);
  });
  expect([code, stdout.trimEnd().split('\n').length]).toEqual([0, 30_000]);
});

it('ends at Ctrl-C while nobody takes what it prints', async () => {
  const { code } = await run(['trace', 'head', join(dir, 'trace.csv'), '-n', '30000', '--json'], (child) => {
    child.stdout!.pause();
    setTimeout(() => {
      child.kill('SIGINT');
      child.once('exit', () => child.stdout!.resume());
    }, 1_500);
  });
  expect(code).toBe(130);
});

describe.skipIf(process.platform !== 'linux')('what it ends with', () => {
  const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
  const shell = (command: string): number | null =>
    spawnSync('bash', ['-o', 'pipefail', '-c', command.replaceAll('SS', `"${process.execPath}" "${cli}"`)], {
      cwd: dir,
    }).status;

  it.each([
    ['trace head trace.csv >/dev/full', 1],
    ['trace head trace.csv -n 30000 --json >/dev/full', 1],
    ['trace inspect none.csv 2>/dev/full', 2],
    ['trace inspect none.csv 2>&1 | head -c 0', 2],
    ['trace head trace.csv -n 30000 --json | head -1', 0],
    ['trace head trace.csv -n 2 >&- 2>&-', 0],
    ['trace inspect none.csv >&- 2>&-', 2],
  ])('does not depend on who listens: %s', (command, code) => {
    expect(shell(`SS ${command}`)).toBe(code);
  });

  it('is 130 where nobody hears that it was interrupted', () => {
    expect(
      shell(
        'SS simulate --preset paper-week --strategy static --out unheard 2>/dev/full & sleep 1.5; kill -INT $!; ' +
          'wait $!',
      ),
    ).toBe(130);
  });

  it('is an error where a plug-in ends the process, with what it did', async () => {
    for (const status of [0, 7]) {
      const { code, stderr, left } = await runWith(`process.exit(${status});`);
      expect([code, left]).toEqual([2, []]);
      expect(stderr).toContain(`error: something ended the command with process.exit(${status}) before it was done`);
    }
  });

  it('is not for a plug-in to say, nor what is left', async () => {
    const { code, stderr, left } = await runWith(
      `this.port ??= process.getBuiltinModule('worker_threads').parentPort; this.port.postMessage(null); ` +
        `this.port.postMessage({ putAwayMs: 1e9 }); this.port.postMessage({ code: 0 }); throw new Error('odd');`,
    );
    expect([code, left]).toEqual([2, []]);
    expect(stderr).toContain('threw in route(): odd');
  });

  it.each([
    "setTimeout(() => { throw Symbol('x'); }, 0)",
    'Promise.reject(Object.create(null))',
    'setTimeout(() => { throw undefined; }, 0)',
    "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { throw 1; } }); Promise.reject(e)",
  ])('blames a plug-in for what has no stack: %s', async (leave) => {
    const { code, stderr } = await runWith(`if (!this.left) { this.left = true; ${leave}; } return 0;`);
    expect(stderr).toContain('error: plugins[0] (./plugin.mjs) left something behind that failed: ');
    expect(stderr).not.toContain('defect');
    expect(code).toBe(2);
  });

  it('leaves no folder behind in which nothing is, however it ends', async () => {
    for (const route of ['process.exit(1);', "setTimeout(() => { throw new Error('late'); }, 0); return 0;"]) {
      const { place } = await runWith(route, undefined, join('deep', 'er'));
      expect((await readdir(place)).sort()).toEqual(['plugin.mjs', 'scenario.json']);
    }
  });
});

it.each([
  ['queue', 'URL'],
  ['--queue=URL', 'worker'],
  ['simulate', '--queue=URL'],
  ['simulate', 'URL'],
  ['queue', 'status', '--queu=URL'],
  ['sweep', 'URL'],
  ['trace', 'inspect', 'URL'],
  ['worker', '--queue', 'URL'],
])('never shows the password of an address, wherever that is given: %s %s %s', async (...args) => {
  for (const url of [
    'postgres://me:hush5ecret@127.0.0.1:1/jobs',
    'postgres://me@127.0.0.1:1/jobs&password=hush5ecret',
  ]) {
    const { code, stdout, stderr } = await run(args.map((arg) => arg.replace('URL', url)));
    expect(code).not.toBe(0);
    expect(stderr).toContain('error');
    expect(stdout + stderr).not.toContain('hush5ecret');
  }
});
