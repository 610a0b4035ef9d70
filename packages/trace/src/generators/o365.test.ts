import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { characterize, type TraceSummary } from '../characterize.js';
import type { TraceStream } from '../request-batch.js';
import {
  AZURE_2024_OUTPUT_TOKENS,
  AZURE_2024_PROMPT_TOKENS,
  HOUR_OF_WEEK_SHAPE,
  SERVEGEN_CLIENTS,
} from './calibration.js';
import { generateO365Trace } from './o365.js';
import type { O365TraceOptions } from './o365-options.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const traces = fileURLToPath(new URL('../../../../../shared/data/traces/', import.meta.url));
const base: O365TraceOptions = {
  seed: 1,
  durationMs: 7 * DAY,
  requestsPerDay: 100_000,
  regions: [{ name: 'only', share: 1 }],
  models: [{ name: 'm', share: 1 }],
  tiers: { 'interactive-fast': 1 },
  startHourOfWeek: 0,
};

async function arrivals(trace: TraceStream): Promise<number[]> {
  const times: number[] = [];
  for await (const batch of trace.batches()) for (let i = 0; i < batch.length; i++) times.push(batch.arrivedAtMs[i]);
  return times;
}

const wape = (actual: readonly number[], want: readonly number[]): number =>
  actual.reduce((sum, a, i) => sum + Math.abs(a - want[i]), 0) / want.reduce((a, b) => a + b, 0);

describe('the generated week', () => {
  let week: Promise<TraceSummary> | undefined;
  const summary = (): Promise<TraceSummary> => (week ??= characterize(generateO365Trace({ ...base, rateNoise: 0 })));

  it('has the rate that was asked for, within 1 %', async () => {
    expect((await summary()).total.requests / 700_000).toBeGreaterThan(0.99);
    expect((await summary()).total.requests / 700_000).toBeLessThan(1.01);
  });

  it('has the shape of the calibration by hour: WAPE under 5 %', async () => {
    const bins = (await summary()).total.bins.slice(0, 1_008);
    const hours = Array.from(
      { length: 168 },
      (_, h) => bins.slice(6 * h, 6 * h + 6).reduce((a, b) => a + b, 0) / (700_000 / 168),
    );
    expect(wape(hours, HOUR_OF_WEEK_SHAPE)).toBeLessThan(0.05);
  });

  it('dips at the weekend as the source does: 0.57 of a weekday, within 0.03', async () => {
    const bins = (await summary()).total.bins.slice(0, 1_008);
    const day = (d: number): number => bins.slice(144 * d, 144 * d + 144).reduce((a, b) => a + b, 0);
    expect((day(0) + day(6)) / 2 / ((day(1) + day(2) + day(3) + day(4) + day(5)) / 5) - 0.567).toBeCloseTo(0, 1);
    expect(Math.abs((day(0) + day(6)) / 2 / ((day(1) + day(2) + day(3) + day(4) + day(5)) / 5) - 0.567)).toBeLessThan(
      0.03,
    );
  });

  it('has the token quantiles of the calibration, within 2 % or one token', async () => {
    const { promptTokens, outputTokens } = (await summary()).total;
    for (const [measured, quantiles] of [
      [promptTokens, AZURE_2024_PROMPT_TOKENS],
      [outputTokens, AZURE_2024_OUTPUT_TOKENS],
    ] as const) {
      for (const [level, name] of [
        [0.95, 'p95'],
        [0.99, 'p99'],
      ] as const) {
        const want = quantiles.find(([l]) => l === level)![1];
        expect(Math.abs(measured[name] - want)).toBeLessThanOrEqual(Math.max(1, 0.02 * want));
      }
    }
    expect(Math.abs(promptTokens.p50 - 900)).toBeLessThanOrEqual(18);
  });

  it('is as bursty as its clients: CV of gaps from the superposition, index of dispersion at 10 s near Σ share · CV²', async () => {
    const flat = await arrivals(
      generateO365Trace({
        ...base,
        durationMs: DAY,
        rateNoise: 0,
        shape: Array<number>(168).fill(1),
        requestsPerDay: 864_000,
      }),
    );
    const counts = new Array<number>(Math.ceil(DAY / 600_000)).fill(0);
    for (const at of flat) counts[Math.floor(at / 600_000)]++;
    const mean = counts.reduce((a, b) => a + b, 0) / counts.length;
    const dispersion = counts.reduce((s, c) => s + (c - mean) ** 2, 0) / counts.length / mean;
    const want = SERVEGEN_CLIENTS.reduce((s, c) => s + c.share * c.gapCv ** 2, 0);
    // 144 windows leave a relative error of √(2/144), 12 %; three of them.
    expect(Math.abs(dispersion / want - 1)).toBeLessThan(0.4);
  });

  it.skipIf(!existsSync(traces))(
    'matches the Azure week itself: WAPE by ten minutes under 6 %, prompts within 3 %, outputs within 3 % above ' +
      'the coarse part (skipped without ../shared)',
    async () => {
      const lines = gunzipSync(readFileSync(`${traces}azure2024_conv_rate_10min.csv.gz`))
        .toString()
        .trim()
        .split('\n')
        .slice(1);
      const source = lines.map((line) => Number(line.split(',')[1]));
      const mean = source.reduce((a, b) => a + b, 0) / source.length;
      // Poisson arrivals, so that what differs is the shape and not the bursts.
      const { total } = await characterize(
        generateO365Trace({ ...base, requestsPerDay: 400_000, rateNoise: 0, clients: [{ share: 1, gapCv: 1 }] }),
      );
      const bins = total.bins.slice(0, 1_008);
      const binMean = bins.reduce((a, b) => a + b, 0) / bins.length;
      expect(
        wape(
          bins.map((b) => b / binMean),
          source.map((s) => s / mean),
        ),
      ).toBeLessThan(0.06);
      const quantiles = JSON.parse(readFileSync(`${traces}azure2024_conv_token_quantiles.json`, 'utf8')) as Record<
        string,
        Record<string, number>
      >;
      for (const name of ['50', '95', '99'] as const)
        expect(Math.abs(total.promptTokens[`p${name}`] / quantiles['conv_input'][name] - 1)).toBeLessThan(0.03);
      for (const name of ['95', '99'] as const)
        expect(Math.abs(total.outputTokens[`p${name}`] / quantiles['conv_output'][name] - 1)).toBeLessThan(0.03);
      // Under the 70th percentile the source repeats values over five percent and more: half of
      // such a step.
      expect(Math.abs(total.outputTokens.p50 - quantiles['conv_output']['50'])).toBeLessThanOrEqual(6);
    },
  );
});

describe('generateO365Trace', () => {
  const small = fc.record({
    seed: fc.integer({ min: 0, max: 1_000 }),
    requestsPerDay: fc.integer({ min: 1, max: 200_000 }),
    hours: fc.integer({ min: 1, max: 8 }),
    regions: fc.integer({ min: 1, max: 3 }),
    burst: fc.boolean(),
  });
  const options = (o: {
    seed: number;
    requestsPerDay: number;
    hours: number;
    regions: number;
    burst: boolean;
  }): O365TraceOptions => ({
    seed: o.seed,
    durationMs: o.hours * HOUR,
    requestsPerDay: o.requestsPerDay,
    regions: Array.from({ length: o.regions }, (_, r) => ({ name: `r${r}`, share: r + 1, phaseHours: r })),
    models: [
      { name: 'a', share: 1 },
      { name: 'b', share: 2 },
    ],
    ...(o.burst ? { burst: { everyMs: HOUR, lengthMs: 60_000, factor: 9 } } : {}),
  });

  it('comes in order, within its time, the same from the same seed', async () => {
    await fc.assert(
      fc.asyncProperty(small, async (o) => {
        const first = await arrivals(generateO365Trace(options(o)));
        for (let i = 0; i < first.length; i++)
          expect(first[i] >= (first[i - 1] ?? 0) && first[i] <= o.hours * HOUR).toBe(true);
        expect(await arrivals(generateO365Trace(options(o)))).toEqual(first);
      }),
      { numRuns: 25 },
    );
  });

  it('keeps the shares of regions, models and tiers', async () => {
    const { total, byRegion, byTier, byModel } = await characterize(
      generateO365Trace(options({ seed: 5, requestsPerDay: 2_000_000, hours: 24, regions: 3, burst: false })),
    );
    expect(total.requests).toBeGreaterThan(1_500_000);
    for (const [name, share] of [
      ['r0', 1 / 6],
      ['r1', 2 / 6],
      ['r2', 3 / 6],
    ] as const)
      expect(Math.abs(byRegion[name].share - share)).toBeLessThan(0.04);
    expect(Math.abs(byModel['b'].share - 2 / 3)).toBeLessThan(0.05);
    expect(Math.abs(byTier['interactive-fast'].share - 0.36)).toBeLessThan(0.04);
    // Non-interactive work follows the day less.
    expect(byTier['non-interactive'].peakToTrough!).toBeLessThan(byTier['interactive-fast'].peakToTrough!);
  });

  it('brings nine times the traffic in the first minute of each hour when told to', async () => {
    const times = await arrivals(
      generateO365Trace({
        ...base,
        durationMs: 12 * HOUR,
        requestsPerDay: 400_000,
        rateNoise: 0,
        shape: Array<number>(168).fill(1),
        burst: { everyMs: HOUR, lengthMs: 60_000, factor: 9 },
      }),
    );
    const inBurst = times.filter((t) => t % HOUR < 60_000).length / 12;
    const outside = times.filter((t) => t % HOUR >= 60_000).length / (12 * 59);
    expect(inBurst / outside).toBeGreaterThan(8);
    expect(inBurst / outside).toBeLessThan(10);
  });

  it('begins as it goes on: the first minutes of many seeds, and a trickle, bring what was asked for', async () => {
    const flat = { ...base, rateNoise: 0, shape: Array<number>(168).fill(1) };
    let first = 0;
    for (let seed = 0; seed < 300; seed++)
      first += (await arrivals(generateO365Trace({ ...flat, seed, durationMs: 60_000, requestsPerDay: 100 * 1_440 })))
        .length;
    expect(Math.abs(first / 30_000 - 1)).toBeLessThan(0.1);
    let trickle = 0;
    for (let seed = 0; seed < 1_000; seed++)
      trickle += (await arrivals(generateO365Trace({ ...flat, seed, durationMs: DAY, requestsPerDay: 1 }))).length;
    expect(Math.abs(trickle / 1_000 - 1)).toBeLessThan(0.3);
  });

  /** Arrivals a millisecond within bursts ÷ those outside, of traffic that is even but for them. */
  const burstRatio = async (durationMs: number, burst: NonNullable<O365TraceOptions['burst']>) => {
    const { everyMs, lengthMs, offsetMs = 0 } = burst;
    const times = await arrivals(
      generateO365Trace({
        ...base,
        durationMs,
        requestsPerDay: 400_000,
        rateNoise: 0,
        shape: Array<number>(168).fill(1),
        clients: [{ share: 1, gapCv: 1 }],
        burst,
      }),
    );
    const within = times.filter((t) => (t - offsetMs + everyMs) % everyMs < lengthMs).length;
    return within / lengthMs / ((times.length - within) / (everyMs - lengthMs));
  };

  it('keeps bursts that are no whole minutes to their time', async () => {
    const ratio = await burstRatio(6 * HOUR, { everyMs: 90_000, lengthMs: 10_000, factor: 9 });
    expect(ratio).toBeGreaterThan(8.5);
    expect(ratio).toBeLessThan(9.5);
  });

  it('begins bursts later than the period when told to', async () => {
    const ratio = await burstRatio(12 * HOUR, {
      everyMs: 3 * HOUR,
      offsetMs: 2.75 * HOUR,
      lengthMs: HOUR / 4,
      factor: 6,
    });
    expect(ratio).toBeGreaterThan(5.7);
    expect(ratio).toBeLessThan(6.3);
  });

  it('changes its level to the millisecond and for good, whatever came before the trace', async () => {
    const options = {
      ...base,
      durationMs: 4 * HOUR,
      requestsPerDay: 400_000,
      rateNoise: 0,
      shape: Array<number>(168).fill(1),
      clients: [{ share: 1, gapCv: 1 }],
      levels: [
        { atMs: HOUR + 500, factor: 0 },
        { atMs: 2 * HOUR, factor: 5 },
        { atMs: 3 * HOUR, factor: 1 },
      ],
    };
    for (const warmupMs of [0, 7 * HOUR + 1_234]) {
      const times = await arrivals(generateO365Trace({ ...options, warmupMs }));
      const between = (from: number, to: number): number => times.filter((t) => t >= from && t < to).length;
      expect(between(HOUR + 500, 2 * HOUR)).toBe(0);
      expect(between(HOUR - 60_000, HOUR + 500)).toBeGreaterThan(200);
      const usual = (between(0, HOUR) + between(3 * HOUR, 4 * HOUR)) / 2;
      expect(between(2 * HOUR, 3 * HOUR) / usual).toBeGreaterThan(4.8);
      expect(between(2 * HOUR, 3 * HOUR) / usual).toBeLessThan(5.2);
    }
  });

  it('lets others have their turn, however little there is in a long time', async () => {
    const quiet = generateO365Trace({ ...base, durationMs: 3 * 365 * DAY, requestsPerDay: 0.01 });
    let turns = 0;
    let ended = false;
    const turn = (): void => {
      turns++;
      if (!ended) setImmediate(turn);
    };
    setImmediate(turn);
    await arrivals(quiet);
    ended = true;
    // Half a second of work or more, with a turn every 50 ms.
    expect(turns).toBeGreaterThan(2);
  });

  it('says which option is wrong', () => {
    const levels = (...factors: number[]) => factors.map((factor) => ({ atMs: HOUR, factor }));
    expect(() => generateO365Trace({ ...base, levels: levels(1, 2) })).toThrow(
      'levels[1].atMs: must be after the level before it',
    );
    expect(() => generateO365Trace({ ...base, levels: levels(-1) })).toThrow('levels[0].factor: must be a share of 0');
    expect(() =>
      generateO365Trace({ ...base, burst: { everyMs: HOUR, offsetMs: HOUR / 2, lengthMs: HOUR, factor: 2 } }),
    ).toThrow('burst.offsetMs: leaves a burst no room');
    expect(() => generateO365Trace({ ...base, requestsPerDay: 0 })).toThrow('requestsPerDay: must be above 0, not 0');
    expect(() => generateO365Trace({ ...base, shape: [1] })).toThrow('shape: needs 168 values');
    expect(() => generateO365Trace({ ...base, regions: [{ name: 'r', share: 0 }] })).toThrow(
      'regions: needs at least one share above 0',
    );
    expect(() => generateO365Trace({ ...base, clients: [{ share: 1, gapCv: 99 }] })).toThrow('clients[0].gapCv');
  });
});
