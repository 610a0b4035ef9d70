import type { FleetSnapshot, InstancePoolView, RegionPoolView } from '@sageserve/core';
import {
  createLeastOutstandingTokensRouter,
  createUtilizationRelease,
  createUtilizationRouter,
} from '@sageserve/routing';
import { instancePoolViewConformance, regionPoolViewConformance, telemetrySourceConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { traceFromRequests } from '@sageserve/trace';
import { request, spyEveryMinute, testConfig } from './fixtures.js';
import type { TelemetryLag } from './telemetry-lag.js';
import { simulate } from './simulation.js';

const MINUTE = 60_000;

/**
 * A minute of requests every 20 ms, and what a router saw of instances and regions with each of
 * them.
 */
async function seen(telemetry?: TelemetryLag) {
  const ages: number[] = [];
  const outstanding: (number | undefined)[] = [];
  const inner = createLeastOutstandingTokensRouter();
  const config = testConfig({ instances: 4, maxInstances: 4, gpus: 4, durationMs: MINUTE });
  const check = async (checks: readonly { run: () => void | Promise<void> }[]) => {
    for (const one of checks) await one.run();
  };
  const pending: Promise<void>[] = [];
  const result = await simulate(
    {
      ...config,
      ...(telemetry === undefined ? {} : { telemetry }),
      policies: {
        ...config.policies,
        regionRouter: {
          name: 'spy',
          route(view, regions: RegionPoolView, nowMs) {
            pending.push(check(regionPoolViewConformance(() => regions)));
            return createUtilizationRouter().route(view, regions, nowMs);
          },
        },
        instanceRouter: {
          name: 'spy',
          route(view, pool: InstancePoolView, nowMs) {
            pending.push(check(instancePoolViewConformance(() => pool)));
            for (let i = 0; i < pool.count; i++) {
              ages.push(pool.ageMs(i));
              outstanding.push(pool.outstandingTokens(i));
            }
            return inner.route(view, pool, nowMs);
          },
        },
      },
    },
    traceFromRequests(Array.from({ length: 400 }, (_, i) => request(i * 20, 500, 20))),
    { audit: true },
  );
  await Promise.all(pending);
  return { ages, outstanding, result };
}

describe('telemetry that is late', () => {
  it('is as late as it is told to be, and conserves every request', async () => {
    const perfect = await seen();
    expect(new Set(perfect.ages)).toEqual(new Set([0]));
    const late = await seen({ everyMs: 1_000, delayMs: 300 });
    expect(late.result.total.completed).toBe(400);
    const known = late.ages.filter((age) => age < Infinity);
    expect(Math.min(...known)).toBeGreaterThanOrEqual(300);
    expect(Math.max(...known)).toBeLessThan(1_300);
    // Before anything came, nothing was read: what was sent from here is known all the same.
    expect(late.ages[0]).toBe(Infinity);
    expect(late.outstanding.every((tokens) => tokens !== undefined && tokens >= 0)).toBe(true);
    expect(new Set(late.outstanding).size).toBeGreaterThan(20);
  });

  it('loses the share that it is told to, the same with the same seed', async () => {
    const lossy = { everyMs: 1_000, loss: 0.5 };
    const [once, again, other] = [await seen(lossy), await seen(lossy), await seen({ ...lossy, seed: 2 })];
    expect(Math.max(...once.ages.filter((age) => age < Infinity))).toBeGreaterThan(1_000);
    expect(again.ages).toEqual(once.ages);
    expect(other.ages).not.toEqual(once.ages);
    const dark = await seen({ everyMs: 1_000, loss: 1 });
    expect(new Set(dark.ages)).toEqual(new Set([Infinity]));
    expect(dark.result.total.completed).toBe(400);
  });

  it('hands a control loop what was read, with its time; nothing before', async () => {
    const snapshots: (FleetSnapshot | string)[] = [];
    await simulate(
      {
        ...testConfig({
          instances: 2,
          durationMs: 5 * MINUTE,
          control: spyEveryMinute(async ({ telemetry }) => {
            snapshots.push(
              await Promise.resolve(telemetry.snapshot()).catch((error: unknown) => (error as Error).message),
            );
            for (const one of telemetrySourceConformance(() => ({
              ...telemetry,
              snapshot: () => snapshots.at(-1) as FleetSnapshot,
            })))
              if (typeof snapshots.at(-1) !== 'string') await one.run();
          }),
        }),
        telemetry: { everyMs: 45_000, delayMs: 70_000, loss: 0.3 },
      },
      traceFromRequests([request(0, 10, 2), request(4 * MINUTE, 10, 2)]),
      { audit: true },
    );
    const at = snapshots.map((one) => (typeof one === 'string' ? one : one.takenAtMs));
    expect(at).toEqual(['nothing was read yet', 'nothing was read yet', 45_000, 90_000, 135_000].slice(0, at.length));
    for (const one of snapshots)
      if (typeof one !== 'string')
        for (const { observedAtMs, readyInstances } of one.endpoints) {
          expect(observedAtMs!).toBeLessThanOrEqual(one.takenAtMs);
          expect(readyInstances === undefined).toBe(observedAtMs === -Infinity);
        }
  });

  it('lets a bounded number of held requests go by one reading', async () => {
    const run = async (telemetry?: { everyMs: number }) => {
      let released = 0;
      const inner = createUtilizationRelease();
      const config = testConfig({ instances: 2, durationMs: 10 * MINUTE });
      const byTime = new Map<number, number>();
      await simulate(
        {
          ...config,
          ...(telemetry === undefined ? {} : { telemetry }),
          policies: {
            ...config.policies,
            release: {
              name: 'spy',
              release(held, pool, nowMs) {
                const count = inner.release(held, pool, nowMs);
                released += count;
                if (nowMs < 60_000) byTime.set(0, (byTime.get(0) ?? 0) + count);
                return count;
              },
            },
          },
        },
        traceFromRequests(Array.from({ length: 300 }, (_, i) => request(i, 200, 5, { tier: 'non-interactive' }))),
        { audit: true },
      );
      return { released, first: byTime.get(0) ?? 0 };
    };
    const frozen = await run({ everyMs: 60_000 });
    expect(frozen.released).toBe(300);
    // Two instances and four for each by one reading.
    expect(frozen.first).toBeLessThanOrEqual(2 * 4 + 8);
  });

  it('is refused where it can’t be', async () => {
    for (const [telemetry, field] of [
      [{ everyMs: 0 }, 'everyMs'],
      [{ everyMs: NaN }, 'everyMs'],
      [{ everyMs: 5, delayMs: -1 }, 'delayMs'],
      [{ everyMs: 5, loss: 1.1 }, 'loss'],
    ] as const)
      await expect(simulate({ ...testConfig({}), telemetry }, traceFromRequests([]))).rejects.toThrow(
        `telemetry.${field}`,
      );
  });
});
