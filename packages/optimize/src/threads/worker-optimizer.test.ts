import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ConfigError, createRng, PlacementGrid, type PlacementProblem, SageServeError } from '@sageserve/core';
import { packThrown, unpackThrown } from '@sageserve/threads';
import { placementOptimizerConformance } from '@sageserve/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { grid, randomProblem } from '../fixtures.js';
import { createPlacementOptimizer, type PLACEMENT_SOLVERS } from '../placement-optimizer.js';
import { PlacementSolverError } from '../solver.js';
import { createWorkerOptimizer, type WorkerOptimizerOptions } from './worker-optimizer.js';

const two = (seed: string, room = 2): PlacementProblem =>
  randomProblem(createRng(seed), { models: 2, regions: 2, skus: 2, windows: 2, capped: 1, room });
const hard = randomProblem(createRng('hard'), { models: 150, regions: 20, skus: 6, windows: 2, capped: 1, room: 0.3 });
const reason = new Error('enough');

const opened: { close(): Promise<void> }[] = [];
function open(options?: WorkerOptimizerOptions): ReturnType<typeof createWorkerOptimizer> {
  const optimizer = createWorkerOptimizer(options);
  opened.push(optimizer);
  return optimizer;
}
afterAll(() => Promise.all(opened.map((optimizer) => optimizer.close())));

describe('an optimiser in a worker', () => {
  it.each([
    ['heuristic', {}],
    ['auto', {}],
    ['highs', { variant: 'lead-time' }],
  ] as [(typeof PLACEMENT_SOLVERS)[number], WorkerOptimizerOptions][])(
    'gives the solutions that it gives in the thread: %s',
    async (solver, formulation) => {
      const options = { ...formulation, solver, hysteresisUsd: 0.5 };
      const [there, here] = [open(options), createPlacementOptimizer(options)];
      expect(there.name).toBe(here.name);
      for (const problem of [two('a'), two('b'), two('tight', 0.1)]) {
        const solution = await there.solve(problem);
        expect(solution).toStrictEqual(await here.solve(problem));
        expect(solution.target).toBeInstanceOf(PlacementGrid);
        expect(solution.target!.at(1, 1, 1)).toBe(solution.target!.values[7]);
      }
    },
  );

  it.each(['heuristic', 'auto'] as const)('keeps the contract of optimisers: %s', async (solver) => {
    const problem = { ...two('contract'), maxInstances: grid(2, 2, 2, () => Infinity) };
    for (const { run } of placementOptimizerConformance(() => open({ solver }), problem)) await run();
  });

  it('refuses what is malformed as in the thread', async () => {
    const { current, ...rest } = two('a');
    current.set(0, 0, 0, 1.5);
    const refused: unknown = await Promise.resolve(open().solve({ ...rest, current })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfigError);
    expect(refused).toMatchObject({ path: 'current[model-0, region-0, sku-0]', code: 'ERR_CONFIG' });
    await expect(open().solve(two('a'), { timeLimitMs: NaN })).rejects.toThrow(
      'timeLimitMs: must be more than 0, not NaN',
    );
    expect(() => createWorkerOptimizer({ solver: 'none' as 'auto' })).toThrow('solver: is none, which is not known');
    const own = { name: 'own', solve: () => Promise.reject(reason) };
    expect(() => createWorkerOptimizer({ solver: own as unknown as 'auto' })).toThrow('solver: must be a name');
    const odd = { ...two('a'), note: () => 0 };
    await expect(open().solve(odd)).rejects.toMatchObject({
      code: 'ERR_SOLVER',
      message: expect.stringContaining('could not be cloned') as string,
    });
  });

  it('leaves the thread free, hears an abort at once and solves again', async () => {
    const optimizer = open({ solver: 'heuristic' });
    const controller = new AbortController();
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks === 5) controller.abort(reason);
    }, 20);
    // By itself it takes many times as long.
    await expect(optimizer.solve(hard, { signal: controller.signal })).rejects.toBe(reason);
    clearInterval(timer);
    expect(ticks).toBe(5);
    expect((await optimizer.solve(two('a'))).status).toBe('optimal');
  });

  it('holds its time limit', async () => {
    const solution = await open({ solver: 'heuristic' }).solve(hard, { timeLimitMs: 300 });
    expect(['feasible', 'timed-out', 'not-found']).toContain(solution.status);
  });

  it('solves several problems at once', async () => {
    const [there, here] = [open({ solver: 'heuristic' }), createPlacementOptimizer({ solver: 'heuristic' })];
    const problems = ['a', 'b', 'c'].map((seed) => two(seed));
    const solutions = await Promise.all(problems.map(async (problem) => there.solve(problem)));
    for (const [k, problem] of problems.entries()) expect(solutions[k]).toStrictEqual(await here.solve(problem));
  });

  it('rejects once it is closed', async () => {
    const optimizer = open({ solver: 'heuristic' });
    const solving = Promise.resolve(optimizer.solve(hard)).catch((error: unknown) => error);
    await optimizer.close();
    expect(await solving).toMatchObject({ code: 'ERR_SOLVER' });
    await expect(optimizer.solve(two('a'))).rejects.toThrow('the optimiser was closed');
  });

  it('keeps no process alive', async () => {
    const script = `
      import { PlacementGrid } from '@sageserve/core';
      import { createWorkerOptimizer } from './packages/optimize/dist/index.js';
      const grid = (...values) => new PlacementGrid(1, 1, 1, Float64Array.from(values));
      const problem = {
        models: ['m'], regions: ['r'], skus: ['s'], current: grid(0), minInstances: grid(0), maxInstances: grid(9),
        tokensPerSPerInstance: grid(10), gpusPerInstance: grid(1), gpuCapacity: grid(9), usdPerInstanceHour: grid(1),
        startUsd: grid(0), demandTokensPerS: [grid(35)], localShare: 1,
      };
      console.log((await createWorkerOptimizer().solve(problem)).target.at(0, 0, 0));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: new URL('../../../..', import.meta.url),
      timeout: 50_000,
    });
    expect(stdout).toBe('4\n');
  });
});

describe('what was thrown in another thread', () => {
  const across = (thrown: unknown): unknown => unpackThrown(structuredClone(packThrown(thrown)));

  it('is known by class, code and fields', () => {
    const error = across(new PlacementSolverError('highs', 'failed', undefined, new ConfigError('a', 'b')));
    expect(error).toBeInstanceOf(PlacementSolverError);
    expect(error).toBeInstanceOf(SageServeError);
    expect(error).toMatchObject({
      code: 'ERR_PLACEMENT_SOLVER',
      name: 'PlacementSolverError',
      message: 'highs: failed',
      hint: expect.stringContaining('another solver') as string,
      solver: 'highs',
    });
    expect((error as Error).cause).toBeInstanceOf(ConfigError);
    expect((error as Error).stack).toContain('worker-optimizer.test');
  });
});
