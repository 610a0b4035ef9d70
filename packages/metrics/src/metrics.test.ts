import { DEFAULT_OBJECTIVES, type TierObjective } from '@sageserve/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capacityReport } from './capacity.js';
import { LatencySketch } from './latency-sketch.js';
import { RequestMetrics } from './request-metrics.js';
import { StepIntegrals } from './step-integrals.js';

const HOUR = 3_600_000;

describe('LatencySketch', () => {
  it('keeps quantiles within 1 % of the exact ones, also after merging', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.double({ min: 0.01, max: 1e8, noNaN: true }), fc.constantFrom(0, 1e-7, 1e12)), {
          minLength: 1,
          maxLength: 300,
        }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const halves = [new LatencySketch(), new LatencySketch()];
          for (const [i, value] of values.entries()) halves[i % 2]!.record(value);
          const sketch = LatencySketch.merged(halves);
          const sorted = [...values].sort((a, b) => a - b);
          const rank = q * (sorted.length - 1);
          const estimate = sketch.quantile(q)!;
          expect(estimate).toBeGreaterThanOrEqual(sorted[Math.floor(rank)]! * 0.99 - 1e-9);
          expect(estimate).toBeLessThanOrEqual(sorted[Math.ceil(rank)]! * 1.01 + 1e-9);
          expect(sketch.count).toBe(values.length);
        },
      ),
    );
  });

  it('says the same of parts merged as of the whole, and leaves the parts as they were', () => {
    const value = fc.oneof(fc.double({ min: 0.01, max: 1e8, noNaN: true }), fc.constantFrom(0, 1e-7, 1e12));
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.nat(2)), { minLength: 1, maxLength: 100 }), (values) => {
        const parts = Array.from({ length: 3 }, () => new LatencySketch());
        const whole = new LatencySketch();
        for (const [each, part] of values) {
          whole.record(each);
          parts[part]!.record(each);
        }
        const { mean, ...rest } = whole.summary();
        const before = parts.map((part) => part.count);
        for (let again = 0; again < 2; again++) {
          const merged = LatencySketch.merged(parts).summary();
          expect(merged).toMatchObject(rest);
          expect(Math.abs(merged.mean! - mean!)).toBeLessThanOrEqual(1e-12 * mean!);
        }
        expect(parts.map((part) => part.count)).toEqual(before);
      }),
    );
  });

  it('counts more than the 32 bits of a bin', () => {
    let sketch = new LatencySketch();
    for (const value of [10, 20, 20]) sketch.record(value);
    for (let doubled = 0; doubled < 34; doubled++) sketch = LatencySketch.merged([sketch, sketch]);
    expect(sketch.count).toBe(3 * 2 ** 34);
    expect(sketch.quantile(0.3)).toBeCloseTo(10, 0);
    expect(sketch.quantile(0.4)).toBeCloseTo(20, 0);
  });

  it('says nothing of nothing', () => {
    expect(new LatencySketch().summary()).toEqual({
      count: 0,
      mean: undefined,
      p50: undefined,
      p90: undefined,
      p95: undefined,
      p99: undefined,
      max: undefined,
    });
  });
});

describe('StepIntegrals', () => {
  it('integrates steps exactly', () => {
    const steps = new StepIntegrals(2);
    steps.add(0, 3, 100);
    steps.add(0, -1, 250);
    expect(steps.integral(0, 1_000)).toBe(3 * 150 + 2 * 750);
    expect(steps.integral(1, 1_000)).toBe(0);
  });
});

describe('capacityReport', () => {
  it('adds up what is held, wasted, idle and paid', () => {
    const report = capacityReport([
      {
        gpusPerInstance: 8,
        usdPerGpuHour: 2,
        readyMs: 10 * HOUR,
        busyMs: 4 * HOUR,
        drainingMs: HOUR,
        provisioningMs: [0, HOUR / 2, 0, HOUR],
      },
      {
        gpusPerInstance: 1,
        usdPerGpuHour: 1,
        readyMs: 2 * HOUR,
        busyMs: 2 * HOUR,
        drainingMs: 0,
        provisioningMs: [0, 0, 0, 0],
      },
    ]);
    expect(report.instanceHours).toBeCloseTo(12.5 + 2);
    expect(report.gpuHours).toBeCloseTo(100 + 2);
    expect(report.wastedGpuHours).toBeCloseTo(12);
    expect(report.wastedGpuHoursByWay).toMatchObject({ reclaim: 4, 'new-vm': 8, redeploy: 0 });
    expect(report.idleGpuHours).toBeCloseTo(56);
    expect(report.costUsd).toBeCloseTo(202);
  });
});

describe('RequestMetrics', () => {
  it('counts drops and unfinished requests as misses, late ones too', () => {
    const metrics = new RequestMetrics({ groups: 2 });
    for (let i = 0; i < 4; i++) metrics.arrive(0, 0, 100);
    metrics.complete(0, 0, 0, 999, 5_000, 11, 1_000);
    metrics.complete(0, 0, 0, 1_001, 5_000, 11, 1_000);
    metrics.reject(0, 0);
    for (let i = 0; i < 3; i++) metrics.arrive(1, 2, 50);
    metrics.complete(1, 2, 0, 10_000, 86_400_000, 1, 86_400_000);
    metrics.complete(1, 2, 0, 10_000, 86_400_001, 1, 86_400_000);
    const fast = metrics.report(10_000, (_, tier) => tier === 0);
    expect(fast).toMatchObject({
      arrived: 4,
      completed: 2,
      rejected: 1,
      unfinished: 1,
      sloAttainment: 0.25,
      deadlineMisses: 0,
      promptTokens: 400,
      outputTokens: 22,
    });
    expect(fast.goodputPerS).toBeCloseTo(0.1);
    expect(fast.tbtMs.p50!).toBeGreaterThan(395);
    expect(fast.tbtMs.p50!).toBeLessThan(405);
    const batch = metrics.report(10_000, (group) => group === 1);
    expect(batch).toMatchObject({ arrived: 3, completed: 2, unfinished: 1, deadlineMisses: 2 });
    expect(batch.sloAttainment).toBeCloseTo(1 / 3);
    // One token each: there is no time between tokens.
    expect(batch.tbtMs.count).toBe(0);
    expect(metrics.report(1_000).arrived).toBe(7);
  });
});

describe('objectives', () => {
  const objective = (limits: Partial<TierObjective>): RequestMetrics =>
    new RequestMetrics({
      groups: 1,
      objectives: {
        ...DEFAULT_OBJECTIVES,
        'interactive-fast': { ttftMs: 1_000, attainmentTarget: 0.95, defaultDeadlineMs: 1_000, ...limits },
        'non-interactive': { ...DEFAULT_OBJECTIVES['non-interactive'], ...limits, ttftMs: undefined },
      },
    });
  /** One request: first token at 500 ms, 11 tokens until 2,500 ms, 200 ms between them. */
  const attainment = (limits: Partial<TierObjective>, slow = 0, tier = 0, deadline = 3_000): number | undefined => {
    const metrics = objective(limits);
    metrics.arrive(0, tier, 10);
    metrics.complete(0, tier, 0, 500, 2_500, 11, deadline, slow);
    return metrics.report(1_000).sloAttainment;
  };

  it('are met by a request that is within every limit', () => {
    expect(attainment({})).toBe(1);
    expect(attainment({ tbtMs: 200, e2eMs: 2_500, tbtP95Ms: 1 })).toBe(1);
  });

  it('are missed on the mean time between tokens', () => {
    expect(attainment({ tbtMs: 199.9 })).toBe(0);
  });

  it('are missed on the end', () => {
    expect(attainment({ e2eMs: 2_499 })).toBe(0);
  });

  it('are missed where more than a twentieth of the tokens is late', () => {
    const of = (tokens: number, slow: number): number | undefined => {
      const metrics = objective({ tbtP95Ms: 100 });
      metrics.arrive(0, 0, 10);
      metrics.complete(0, 0, 0, 500, 2_500, tokens, 3_000, slow);
      return metrics.report(1_000).sloAttainment;
    };
    expect(of(21, 1)).toBe(1);
    expect(of(21, 2)).toBe(0);
    expect(of(20, 1)).toBe(0);
    expect(of(1, 0)).toBe(1);
  });

  it('count late tokens only where they are limited', () => {
    expect(attainment({}, 10)).toBe(1);
  });

  it('leave a deadline a deadline', () => {
    expect(attainment({}, 0, 2)).toBe(1);
    expect(attainment({}, 0, 2, 2_499)).toBe(0);
    expect(attainment({ e2eMs: 1 }, 0, 2)).toBe(0);
    const metrics = objective({ e2eMs: 1 });
    metrics.arrive(0, 2, 10);
    metrics.complete(0, 2, 0, 500, 2_500, 11, 3_000, 0);
    expect(metrics.report(1_000).deadlineMisses).toBe(0);
  });
});
