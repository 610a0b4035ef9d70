import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { runCommand as run } from './fixtures.js';
import { preset } from './presets/presets.js';
import { wallClockMs } from './wall-clock.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-ending-'));
  await writeFile(join(dir, 'trace.csv'), `arrived_at_s,prompt_tokens,output_tokens\n${Array.from({ length: 30_000 }, (_, i) => `${i},100,10`).join('\n')}\n`);
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rm(dir, { recursive: true }));

/** A run whose router does that at its first request, with its results going to a folder. */
async function runWith(route: string, during?: Parameters<typeof run>[1]): Promise<{ code: number | null; stderr: string; left: string[] }> {
  const own = await mkdtemp(join(dir, 'run-'));
  await writeFile(join(own, 'plugin.mjs'), `export default { regionRouters: { mine: () => ({ name: 'mine', route() { ${route} } }) } };\n`);
  const scenario = { ...preset('small'), duration: '5m', plugins: ['./plugin.mjs'], regionRouter: 'mine', strategies: ['static'] };
  await writeFile(join(own, 'scenario.json'), JSON.stringify(scenario));
  const { code, stderr } = await run(['simulate', join(own, 'scenario.json'), '--out', join(own, 'out')], during);
  return { code, stderr, left: (await readdir(own)).filter((name) => name !== 'plugin.mjs' && name !== 'scenario.json' && name !== 'out') };
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
  await writeFile(join(dir, 'counts.csv'), `time,count\n${Array.from({ length: 50 }, (_, t) => `${t * 600},5`).join('\n')}\n`);
  const { code } = await run(['forecast', 'run', '-c', join(dir, 'counts.csv'), '-m', 'last-value', '--plugins', join(dir, 'forever.mjs')]);
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
  for (const url of ['postgres://me:hush5ecret@127.0.0.1:1/jobs', 'postgres://me@127.0.0.1:1/jobs&password=hush5ecret']) {
    const { code, stdout, stderr } = await run(args.map((arg) => arg.replace('URL', url)));
    expect(code).not.toBe(0);
    expect(stderr).toContain('error');
    expect(stdout + stderr).not.toContain('hush5ecret');
  }
});
