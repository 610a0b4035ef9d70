import { modelId, regionId } from '@sageserve/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DemandRecorder } from './demand-recorder.js';

const key = { modelId: modelId('llama'), regionId: regionId('westus') };
const MIN = 60_000;
const STEP = 10 * MIN;

/** A recorder whose host watches from `fromMs` to `toMs`, once a minute. */
function watch(recorder: DemandRecorder, fromMs: number, toMs: number): void {
  for (let at = fromMs; at <= toMs; at += MIN) recorder.observedUntil(at);
}

describe('DemandRecorder', () => {
  it('gives rates per second by bucket, and 0 where nothing came while it was watching', () => {
    const recorder = new DemandRecorder(key);
    watch(recorder, 0, 3 * STEP);
    recorder.record(MIN, 6_000, 600);
    recorder.record(STEP + 1, 1_200, 60);
    recorder.record(STEP - 1, 6_000, 600);
    const series = recorder.series(3 * STEP);
    expect(series).toMatchObject({ key, startMs: 0, stepMs: STEP });
    expect([...series.promptTokensPerS]).toEqual([20, 2, 0]);
    expect([...series.outputTokensPerS]).toEqual([2, 0.1, 0]);
    expect([...series.requestsPerS]).toEqual([2 / 600, 1 / 600, 0]);
  });

  it('knows nothing at the start, a rate after a minute, and leaves the bucket in progress out after that', () => {
    const recorder = new DemandRecorder(key);
    expect(recorder.series(5 * MIN).promptTokensPerS).toHaveLength(0);
    recorder.observedUntil(4 * MIN);
    recorder.record(4.5 * MIN, 600, 60);
    expect(recorder.series(4.1 * MIN).promptTokensPerS).toHaveLength(0);
    recorder.observedUntil(5 * MIN);
    expect([...recorder.series(5 * MIN).promptTokensPerS]).toEqual([10]);
    watch(recorder, 5 * MIN, 13 * MIN);
    // The first bucket was watched for six of its ten minutes: 600 tokens in 360 s.
    expect([...recorder.series(13 * MIN).promptTokensPerS]).toEqual([600 / 360]);
  });

  it('leaves a gap where the host was away, not zeros', () => {
    const recorder = new DemandRecorder(key);
    watch(recorder, 0, STEP);
    recorder.observedUntil(6 * STEP);
    watch(recorder, 6 * STEP, 7 * STEP);
    expect([...recorder.series(7 * STEP).promptTokensPerS]).toEqual([0, NaN, NaN, NaN, NaN, NaN, 0]);
  });

  it('takes late requests while it holds their bucket, and counts those it can no longer place', () => {
    const recorder = new DemandRecorder(key, { capacity: 3 });
    watch(recorder, 0, 5 * STEP);
    recorder.record(2 * STEP, 600, 0);
    recorder.record(STEP, 600, 0);
    expect([...recorder.series(5 * STEP).promptTokensPerS]).toEqual([1, 0, 0]);
    expect(recorder.loss).toEqual({ tooLate: 1, tooEarly: 0, clockResets: 0 });
  });

  it('begins a new watch when the clock steps back, and a new ring when it goes back beyond it', () => {
    const recorder = new DemandRecorder(key, { capacity: 6 });
    watch(recorder, 20 * STEP, 24 * STEP);
    recorder.record(21 * STEP, 600, 0);
    watch(recorder, 21.5 * STEP, 24 * STEP);
    expect(recorder.loss.clockResets).toBe(1);
    // The bucket in which the clock came back counts anew from there; the others keep what they
    // had.
    expect([...recorder.series(24 * STEP).promptTokensPerS]).toEqual([0, 0, 0, 0]);
    recorder.observedUntil(STEP);
    expect(recorder.loss.clockResets).toBe(2);
    expect(recorder.series(2 * STEP).promptTokensPerS).toHaveLength(0);
    watch(recorder, STEP, 2 * STEP);
    expect([...recorder.series(2 * STEP).promptTokensPerS]).toEqual([0]);
  });

  it('is not led astray by a request from the far future', () => {
    const recorder = new DemandRecorder(key);
    watch(recorder, 0, STEP);
    recorder.record(1e15, 600, 0);
    recorder.record(STEP + MIN, 600, 0);
    watch(recorder, STEP, 2 * STEP);
    expect([...recorder.series(2 * STEP).promptTokensPerS]).toEqual([0, 1]);
    expect(recorder.loss).toEqual({ tooLate: 0, tooEarly: 1, clockResets: 0 });
  });

  it('does not take what came before the watch, or during a silence, for demand of the watched time', () => {
    const recorder = new DemandRecorder(key);
    for (let minute = 0; minute < 50; minute++) {
      recorder.record(minute * MIN, 600, 0);
      // Watching from minute 5 to 13, then silent, and again from minute 41 on.
      if ((minute >= 5 && minute <= 13) || minute >= 41) recorder.observedUntil(minute * MIN + 1);
    }
    recorder.observedUntil(50 * MIN);
    const rates = [...recorder.series(50 * MIN).promptTokensPerS];
    expect(rates.slice(1, 4)).toEqual([NaN, NaN, NaN]);
    for (const rate of [rates[0]!, rates[4]!]) expect(Math.abs(rate - 10)).toBeLessThan(3);
    expect(() => recorder.series(Infinity)).toThrow(/nowMs: must be a finite number/);
    expect(recorder.series(1e13).promptTokensPerS.length).toBeLessThanOrEqual(2_016);
  });

  it('refuses what is no time or no count', () => {
    const recorder = new DemandRecorder(key);
    expect(() => recorder.record(NaN, 1, 1)).toThrow(/atMs: must be a finite number, not NaN/);
    expect(() => recorder.record(0, -1, 1)).toThrow(/tokens: must be finite numbers of 0 or more, not -1 and 1 tokens/);
    expect(() => new DemandRecorder(key, { capacity: 0 })).toThrow(
      /capacity: must be a whole number of 1 or more, not 0/,
    );
  });

  it('places every token in its bucket or counts it as lost, in any order of arrival', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ at: fc.integer({ min: 0, max: 30 * STEP - 1 }), tokens: fc.integer({ min: 0, max: 1e6 }) }),
          { maxLength: 60 },
        ),
        (requests) => {
          const recorder = new DemandRecorder(key, { capacity: 12 });
          watch(recorder, 0, 30 * STEP);
          for (const { at, tokens } of requests) recorder.record(at, tokens, 0);
          const series = recorder.series(30 * STEP);
          const want = new Float64Array(12);
          let lost = 0;
          for (const { at, tokens } of requests) {
            const bucket = Math.floor(at / STEP) - 18;
            if (bucket < 0) lost++;
            else want[bucket]! += tokens;
          }
          expect(series.promptTokensPerS).toHaveLength(12);
          for (const [i, rate] of series.promptTokensPerS.entries()) expect(rate).toBeCloseTo(want[i]! / 600, 6);
          expect(recorder.loss.tooLate).toBe(lost);
        },
      ),
    );
  });
});
