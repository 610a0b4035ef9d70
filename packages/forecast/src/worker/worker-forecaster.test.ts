import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ConfigError, type DemandSeries, modelId, regionId, SageServeError } from '@sageserve/core';
import { forecasterConformance } from '@sageserve/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { createAutoForecaster } from '../auto.js';
import { createHoltWintersForecaster } from '../columns/exponential-smoothing.js';
import { DAY, demandOf, noisyDays } from '../fixtures.js';
import { ForecastHistoryError, sliceHistory } from '../history.js';
import { createWorkerForecaster, type WorkerForecaster, type WorkerForecasterOptions } from './worker-forecaster.js';

const opened: WorkerForecaster[] = [];
function open(options?: WorkerForecasterOptions): WorkerForecaster {
  const forecaster = createWorkerForecaster(options);
  opened.push(forecaster);
  return forecaster;
}
afterAll(() => Promise.all(opened.map((forecaster) => forecaster.close())));

/** A module by its text. */
const moduleOf = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`;

/**
 * A forecaster that does what the first bucket says: −1 loops for ever, −2 ends its thread, −3
 * throws, −4 answers with what can't be sent; others compute for so many ms. It counts its calls.
 */
const obedient = moduleOf(`
  let calls = 0;
  const column = (mean) => ({ mean, quantiles: [] });
  export const create = async ({ scale = 1 } = {}) => ({
    name: 'obedient',
    minHistorySteps: 1,
    async forecast(history, horizonSteps, options) {
      const [what] = history.promptTokensPerS;
      calls++;
      if (what === -1) for (;;);
      if (what === -2) process.exit(3);
      if (what === -3) throw Object.assign(new TypeError('not today'), { code: 'ERR_TODAY' });
      if (what === -4) return { mean: () => 0 };
      const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
      for (const until = cpuMs() + what; cpuMs() < until;);
      const mean = new Float64Array(horizonSteps).fill(scale * what);
      return { ...column(mean), startMs: 0, stepMs: history.stepMs, promptTokensPerS: column(mean),
        outputTokensPerS: column(mean), method: [calls, JSON.stringify(options), history.key.modelId].join(' ') };
    },
  });
  export const failing = () => { throw new RangeError('no luck'); };
  export const nothing = () => ({});
  export const number = 5;`);
const order = (what: number, name?: string): DemandSeries => demandOf([what], [1], name);
const ask = async (forecaster: WorkerForecaster, what: number): Promise<number> =>
  (await forecaster.forecast(order(what), 1)).mean[0];
const refusal = (answer: Promise<unknown>): Promise<unknown> =>
  answer.then(
    () => 'no error',
    (error: unknown) => error,
  );

describe('a forecaster in a worker', () => {
  it('forecasts what it forecasts in the thread, call for call', async () => {
    const [there, here] = [
      open({ options: { calibration: { target: 'peak' } }, name: 'auto' }),
      createAutoForecaster({ calibration: { target: 'peak' } }),
    ];
    for (const model of ['a', 'b'])
      for (const region of ['east', 'west']) {
        const all = {
          ...demandOf(noisyDays(4, `${model} ${region}`)),
          key: { modelId: modelId(model), regionId: regionId(region) },
        };
        for (const end of [3 * DAY, 3 * DAY + 6, 4 * DAY]) {
          const history = sliceHistory(all, 0, end);
          const options = { quantileLevels: [0.5, 0.9] };
          expect(await there.forecast(history, 6, options)).toStrictEqual(await here.forecast(history, 6, options));
        }
      }
  });

  it.each(forecasterConformance(() => open({ factory: 'createHoltWintersForecaster' })))('$name', ({ run }) => run());

  it('takes a module by URL, a factory that is awaited, and options', async () => {
    const forecaster = open({ module: new URL(obedient), factory: 'create', options: { scale: 3 } });
    const forecast = await forecaster.forecast(order(2, 'llama'), 2, { quantileLevels: [0.5] });
    expect(forecast.mean).toStrictEqual(Float64Array.of(6, 6));
    expect(forecast.method).toBe('1 {"quantileLevels":[0.5]} llama');
    expect([forecaster.name, forecaster.minHistorySteps]).toEqual(['create', 0]);
  });

  it('leaves the thread free while it computes', async () => {
    const forecaster = open({ module: obedient, factory: 'create' });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    expect(await ask(forecaster, 2_000)).toBe(2_000);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(24);
  });

  it('is ended by an abort at once, whatever it does, and starts anew', async () => {
    const forecaster = open({ module: obedient, factory: 'create' });
    await ask(forecaster, 1);
    const controller = new AbortController();
    const reason = new Error('enough');
    const endless = refusal(forecaster.forecast(order(-1), 1, { signal: controller.signal }));
    const [given, kept] = [new AbortController(), ask(forecaster, 7)];
    const waiting = refusal(forecaster.forecast(order(8), 1, { signal: given.signal }));
    given.abort('not wanted');
    expect(await waiting).toBe('not wanted');
    setTimeout(() => controller.abort(reason), 50);
    expect(await endless).toBe(reason);
    expect(await kept).toBe(7);
    // The first call of the new worker was the one that waited.
    expect((await forecaster.forecast(order(1), 1)).method).toMatch(/^2 /);
    const aborted = forecaster.forecast(order(1), 1, { signal: AbortSignal.abort(reason) });
    expect(await refusal(aborted)).toBe(reason);
  });

  it.each([1, 2])(
    'keeps the answers of calls at once apart, and takes histories as they were: %s workers',
    async (n) => {
      const forecaster = open({ module: obedient, factory: 'create', workers: n });
      const wanted = [30, 1, 20, 2, 5, 3];
      const answers = wanted.map((what) => {
        const history = order(what, `model-${what}`);
        const answer = forecaster.forecast(history, 1);
        history.promptTokensPerS.fill(-2);
        return answer;
      });
      for (const [k, { mean, method }] of (await Promise.all(answers)).entries()) {
        expect([...mean]).toEqual([wanted[k]]);
        expect(method).toMatch(new RegExp(`model-${wanted[k]}$`));
      }
    },
  );

  it('throws what the forecaster throws, and goes on', async () => {
    const here = createHoltWintersForecaster();
    const there = open({ factory: 'createHoltWintersForecaster' });
    const [error, own] = [
      await refusal(there.forecast(demandOf([1, 2]), 1)),
      await refusal(Promise.resolve().then(() => here.forecast(demandOf([1, 2]), 1))),
    ];
    expect(error).toBeInstanceOf(SageServeError);
    expect(error).toBeInstanceOf(ForecastHistoryError);
    const { code, message, hint, name } = own as ForecastHistoryError;
    expect(error).toMatchObject({ code, message, hint, name });
    expect(code).toBe('ERR_FORECAST_HISTORY');

    const forecaster = open({ module: obedient, factory: 'create' });
    const odd = await refusal(ask(forecaster, -3));
    expect(odd).toBeInstanceOf(TypeError);
    expect(odd).toMatchObject({ message: 'not today', code: 'ERR_TODAY' });
    expect(await refusal(ask(forecaster, -4))).toMatchObject({
      message: expect.stringMatching(/could not be cloned/) as string,
    });
    expect((await forecaster.forecast(order(1), 1)).method).toMatch(/^3 /);
  });

  it('says that its worker died, and starts another', async () => {
    const forecaster = open({ module: obedient, factory: 'create', name: 'mine' });
    expect(await refusal(ask(forecaster, -2))).toMatchObject({
      code: 'ERR_FORECAST_WORKER',
      message: 'mine: its worker failed: its thread ended with code 3',
    });
    expect(await ask(forecaster, 1)).toBe(1);
  });

  it.each([
    [{ module: 'no-such-package' }, /^f: no-such-package can’t be imported: Cannot find package/],
    [{ module: 'file:///no/such/file.mjs' }, /^f: file:.*file\.mjs can’t be imported: Cannot find module/],
    [{ module: '/no/such/file.mjs' }, /^f: file:\/\/.*file\.mjs can’t be imported: /],
    [{ module: moduleOf('throw new Error("broken")') }, /can’t be imported: broken$/],
    [{ module: moduleOf('export default {') }, /can’t be imported: /],
    [{ module: obedient, factory: 'failing' }, /has failing\(\), which failed: no luck$/],
    [{ module: obedient, factory: 'nothing' }, /has nothing\(\), which gave no forecaster/],
    [{ module: obedient, factory: 'number' }, /has no function number; it has create, failing, nothing$/],
    [{ module: moduleOf('') }, /has no function createAutoForecaster; it has none at all$/],
    [{ options: { preference: 2 } }, /has createAutoForecaster\(\), which failed: preference: must be/],
  ] as [WorkerForecasterOptions, RegExp][])('says why it can’t be used: %o', async (options, message) => {
    const forecaster = open({ name: 'f', ...options });
    for (const error of [await refusal(ask(forecaster, 1)), await refusal(ask(forecaster, 1))]) {
      expect(error).toBeInstanceOf(SageServeError);
      expect(error).toMatchObject({ code: 'ERR_FORECAST_WORKER', message: expect.stringMatching(message) as string });
    }
  });

  it('refuses options that are none', () => {
    expect(() => open({ options: { members: [() => 0] } })).toThrow(/^options: can’t be handed to a worker/);
    expect(() => open({ module: './mine.js' })).toThrow(/^module: must be a URL, an absolute path or a package/);
    expect(() => open({ workers: 0 })).toThrow('workers: must be a whole number of 1 or more, not 0');
    expect(() => open({ minHistorySteps: -1 })).toThrow(ConfigError);
    expect(() => open({ factory: '' })).toThrow('factory: must be a name, not ""');
  });

  it('rejects what is under way and what comes once it is closed', async () => {
    const forecaster = open({ module: obedient, factory: 'create' });
    const answers = [-1, 1].map((what) => refusal(ask(forecaster, what)));
    await forecaster.close();
    for (const error of [...(await Promise.all(answers)), await refusal(ask(forecaster, 1))])
      expect(error).toMatchObject({ code: 'ERR_FORECAST_WORKER', message: 'create: it was closed' });
    await forecaster.close();
  });

  it('keeps no process alive while it waits', async () => {
    const script = `
      import { createWorkerForecaster } from './packages/forecast/dist/index.js';
      const column = Float64Array.from({ length: 9 }, () => 5);
      const history = { key: { modelId: 'm', regionId: 'r' }, startMs: 0, stepMs: 600000, promptTokensPerS: column,
        outputTokensPerS: column, requestsPerS: column };
      console.log((await createWorkerForecaster({ workers: 2 }).forecast(history, 1)).mean[0]);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: new URL('../../../..', import.meta.url),
      timeout: 50_000,
    });
    expect(stdout).toBe('10\n');
  });
});
