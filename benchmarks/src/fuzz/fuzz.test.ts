import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { judged } from './outcome.js';
import { fuzzOne } from './targets.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sageserve-fuzz-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each([
  ['trace', 400],
  ['parquet', 300],
  ['scenario', 25],
  ['api', 300],
] as const)('%s: every input is taken, or refused with words', async (target, count) => {
  const kinds = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    const { kind, detail } = await fuzzOne(target, 'short', index, folder);
    expect(['taken', 'refused'], `${target} ${index}: ${kind} ${detail}`).toContain(kind);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  // Inputs of which none is taken, or none refused, would try half of it.
  expect(kinds.get('taken')).toBeGreaterThan(count / 50);
  expect(kinds.get('refused')).toBeGreaterThan(count / 50);
});

it('takes raw errors, numbers that are none and defects for faults', async () => {
  const { InvariantError } = await import('sageserve');
  const kindOf = async (run: () => unknown) => (await judged(async () => run())).kind;
  expect(await kindOf(() => ({ a: [1, { b: NaN }] }))).toBe('not-finite');
  expect(await kindOf(() => 'x,Infinity,3')).toBe('not-finite');
  expect(await kindOf(() => Float64Array.of(1, -Infinity))).toBe('not-finite');
  expect(await kindOf(() => ({ text: 'Infinitypolis', n: 3 }))).toBe('taken');
  expect(await kindOf(() => ({ endpointId: 'Infinity/m', name: 'NaN' }))).toBe('taken');
  expect(await kindOf(() => ({ said: 'Infinity' }))).toBe('not-finite');
  expect(await kindOf(() => (undefined as unknown as { x: number }).x)).toBe('raw-error');

  expect(
    await kindOf(() => {
      // Plug-ins throw whatever they like.
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw null;
    }),
  ).toBe('raw-error');
  expect(
    await kindOf(() => {
      throw new InvariantError('x');
    }),
  ).toBe('own-defect');
});
