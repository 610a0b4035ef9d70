import {
  type BacklogSnapshot,
  type EndpointSnapshot,
  type FleetSnapshot,
  modelId,
  PlacementGrid,
  type PlacementPlan,
  regionId,
} from '@sageserve/core';
import { fakeEndpoint, fakeEndpoints, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSageScaling, type SageScalingOptions } from './sage.js';
import { changes } from './fixtures.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const A = fakeEndpoint();

/**
 * A plan for one endpoint whose instances carry 100 tokens/s: what each ten minutes need, and the
 * demand behind it.
 */
function plan(
  schedule: readonly number[],
  fromMs = 0,
  demand: readonly number[] = schedule.map((n) => n * 100),
): PlacementPlan {
  const grid = (value: number) => new PlacementGrid(1, 1, 1, Float64Array.of(value));
  return {
    models: [A.modelId],
    regions: [A.regionId],
    skus: [A.skuId],
    target: grid(schedule[0]!),
    validFromMs: fromMs,
    validUntilMs: fromMs + HOUR,
    schedule: schedule.map(grid),
    demand: {
      startMs: fromMs,
      stepMs: 10 * MINUTE,
      expectedTokensPerS: demand.map(grid),
      upperTokensPerS: demand.map(grid),
      mix: [{ promptTokens: 80, outputTokens: 20 }],
    },
    tokensPerSPerInstance: grid(100),
  };
}

function fleet(
  fields: Partial<EndpointSnapshot>,
  atMs: number,
  seen?: number,
  backlog?: Partial<BacklogSnapshot>,
): FleetSnapshot {
  const endpoint = fakeEndpoint({ kvCacheUtilization: 0.5, provisioningDelayMs: MINUTE, ...fields });
  return {
    ...fakeFleet([endpoint], atMs),
    demand: [{ modelId: A.modelId, regionId: A.regionId, interactiveTokensPerS: seen }],
    ...(backlog === undefined
      ? {}
      : {
          backlog: [
            {
              modelId: A.modelId,
              requests: 0,
              promptTokens: 0,
              earliestDeadlineAtMs: Infinity,
              due: [],
              arrivedTokensPerS: 0,
              ...backlog,
            },
          ],
        }),
  };
}

/**
 * Follows a policy over time: an instance that is asked for is ready after `delayMs`. Returns
 * counts by time.
 */
function follow(
  options: SageScalingOptions,
  plans: (nowMs: number) => PlacementPlan,
  untilMs: number,
  kv: (nowMs: number, ready: number) => number,
  seen: (nowMs: number) => number | undefined = () => undefined,
) {
  const policy = changes.sage(options);
  const delayMs = MINUTE;
  let ready = 4;
  let coming: number[] = [];
  const counts: { atMs: number; ready: number; planned: number }[] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 15_000) {
    ready += coming.filter((at) => at <= nowMs).length;
    coming = coming.filter((at) => at > nowMs);
    const snapshot = fleet(
      { readyInstances: ready, provisioningInstances: coming.length, kvCacheUtilization: kv(nowMs, ready) },
      nowMs,
      seen(nowMs),
    );
    for (const { targetInstances } of policy.decide(snapshot, plans(nowMs), nowMs)) {
      for (let n = ready + coming.length; n < targetInstances; n++) coming.push(nowMs + delayMs);
      for (let n = ready + coming.length; n > targetInstances; n--)
        if (coming.length > 0) coming.pop();
        else ready--;
    }
    counts.push({ atMs: nowMs, ready, planned: ready + coming.length });
  }
  return counts;
}
const calm = () => 0.5;

describe('createSageScaling', () => {
  for (const check of scalingPolicyConformance(() => createSageScaling())) it(check.name, check.run);

  it('has capacity ready when the peak is, not after it, and asks no earlier than it must', () => {
    const counts = follow({}, () => plan([4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]), 25 * MINUTE, calm);
    const readyAt = (atMs: number) => counts.find((c) => c.atMs === atMs)!.ready;
    expect(readyAt(20 * MINUTE)).toBe(8);
    expect(counts.find((c) => c.planned > 4)!.atMs).toBeGreaterThanOrEqual(20 * MINUTE - (MINUTE + 90_000) - 15_000);
  });

  it('reaches further ahead where instances were measured to take longer', () => {
    const first = (provisioningDelayMs: number) => {
      const policy = changes.sage();
      for (let nowMs = 0; nowMs < HOUR; nowMs += 15_000)
        for (const d of policy.decide(
          fleet({ readyInstances: 4, provisioningDelayMs }, nowMs),
          plan([4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8]),
          nowMs,
        ))
          if (d.targetInstances > 4) return nowMs;
      return Infinity;
    };
    expect(first(10 * MINUTE)).toBeLessThan(first(MINUTE) - 8 * MINUTE);
  });

  it('holds through a dip that is shorter than coming back is worth, and lets go for a longer one', () => {
    const dip = follow({ settleMs: 0 }, () => plan([6, 4, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]), 29 * MINUTE, calm);
    // Ten minutes against six delays of one minute and the time that it looks ahead anyway: some of
    // the dip is held through.
    const short = follow(
      { settleMs: 0, holdDelays: 12 },
      () => plan([6, 4, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]),
      29 * MINUTE,
      calm,
    );
    expect(Math.min(...dip.filter((c) => c.atMs >= 5 * MINUTE).map((c) => c.planned))).toBe(4);
    expect(Math.min(...short.filter((c) => c.atMs >= 5 * MINUTE).map((c) => c.planned))).toBe(6);
    const long = follow(
      { settleMs: 0, holdDelays: 12 },
      () => plan([6, 4, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6]),
      30 * MINUTE,
      calm,
    );
    expect(Math.min(...long.map((c) => c.planned))).toBe(4);
  });

  it('corrects the plan by what has been seen since', () => {
    const made = plan(Array<number>(12).fill(5));
    const flat = () => made;
    const more = follow({}, flat, 15 * MINUTE, calm, () => 800);
    expect(more.at(-1)!.planned).toBeGreaterThanOrEqual(7);
    const less = follow({}, flat, 30 * MINUTE, calm, () => 250);
    expect(less.at(-1)!.planned).toBeLessThanOrEqual(4);
    expect(follow({}, flat, 30 * MINUTE, calm, () => 500).at(-1)!.planned).toBe(5);
  });

  it('gives the backlog what its size and its deadlines ask for', () => {
    const decide = (backlog: Partial<BacklogSnapshot>) =>
      changes
        .sage({ drainHours: 4 })
        .decide(
          fleet({ readyInstances: 3, maxInstances: 20 }, 0, undefined, backlog),
          plan(Array<number>(12).fill(3)),
          0,
        )[0]?.targetInstances ?? 3;
    expect(decide({})).toBe(3);
    // 4 h × 200 tokens/s, four fifths of them prompts.
    expect(decide({ requests: 1_000, promptTokens: 0.8 * 200 * 4 * 3_600 })).toBe(5);
    // The same, all due within three hours of which two are slack.
    expect(
      decide({ requests: 1_000, promptTokens: 0.8 * 200 * 4 * 3_600, due: [{ atMs: 3 * HOUR, requests: 1_000 }] }),
    ).toBe(11);
    expect(decide({ arrivedTokensPerS: 400 })).toBe(5);
  });

  it('answers a burst that lasts, by no more than its bound, and lets go of that again', () => {
    const flat = () => plan(Array<number>(12).fill(6));
    const burst = follow({ maxOvershoot: 0.3 }, flat, 59 * MINUTE, (nowMs) =>
      nowMs >= 5 * MINUTE && nowMs < 20 * MINUTE ? 0.99 : 0.5,
    );
    expect(Math.max(...burst.map((c) => c.planned))).toBe(7);
    expect(burst.at(-1)!.planned).toBe(6);
    const blip = follow({}, flat, 20 * MINUTE, (nowMs) => (nowMs === 5 * MINUTE ? 0.99 : 0.5));
    expect(Math.max(...blip.slice(10).map((c) => c.planned))).toBe(6);
  });

  it('shrinks to nothing but what it needed at most in the last ten minutes', () => {
    const counts = follow({ holdDelays: 0 }, () => plan([8, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]), 50 * MINUTE, calm);
    // Eight are needed for the last time just before the twentieth minute.
    const planned = (atMs: number) => counts.find((c) => c.atMs === atMs)!.planned;
    expect([planned(29 * MINUTE + 45_000), planned(30 * MINUTE)]).toEqual([8, 4]);
    const hasty = follow(
      { holdDelays: 0, settleMs: 0 },
      () => plan([8, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]),
      50 * MINUTE,
      calm,
    );
    expect(hasty.find((c) => c.atMs === 20 * MINUTE)!.planned).toBe(4);
  });

  it('adds nothing for a burst while what it asked for is on its way, and one at a time', () => {
    const policy = changes.sage({ maxOvershoot: 0.5 });
    const flat = plan(Array<number>(12).fill(6));
    const asks = (fields: Partial<EndpointSnapshot>, fromMs: number, untilMs: number) => {
      let asked = 0;
      for (let nowMs = fromMs; nowMs <= untilMs; nowMs += 15_000)
        for (const { targetInstances } of policy.decide(
          fleet({ kvCacheUtilization: 0.99, ...fields }, nowMs),
          flat,
          nowMs,
        ))
          asked = Math.max(asked, targetInstances);
      return asked;
    };
    expect(asks({ readyInstances: 6 }, 0, 45_000)).toBe(0);
    expect(asks({ readyInstances: 6 }, MINUTE, MINUTE)).toBe(7);
    expect(asks({ readyInstances: 6, provisioningInstances: 1 }, MINUTE + 15_000, 9 * MINUTE)).toBe(0);
    expect(asks({ readyInstances: 7 }, 9 * MINUTE + 15_000, 9 * MINUTE + 15_000)).toBe(8);
  });

  it('sees a burst in prompts that wait, too: more than two seconds of the endpoint’s work', () => {
    const flat = plan(Array<number>(12).fill(6));
    const asked = (queuedTokens: number) => {
      const policy = changes.sage();
      let most = 6;
      for (let nowMs = 0; nowMs <= 2 * MINUTE; nowMs += 15_000)
        for (const { targetInstances } of policy.decide(fleet({ readyInstances: 6, queuedTokens }, nowMs), flat, nowMs))
          most = Math.max(most, targetInstances);
      return most;
    };
    // Six carry 600 tokens/s.
    expect([asked(1_200), asked(1_201)]).toEqual([6, 7]);
  });

  it('is asked every fifteen seconds, and knows a burst by its model’s own limit', () => {
    const policy = changes.sage({
      burstAbove: (model) => (model === A.modelId ? 0.5 : 0.95),
      burstLastsMs: 0,
      maxOvershoot: 0.5,
    });
    const flat = plan(Array<number>(12).fill(6));
    const at = (nowMs: number, fields: Partial<EndpointSnapshot>) =>
      policy.decide(fleet({ readyInstances: 6, ...fields }, nowMs), flat, nowMs)[0]?.targetInstances;
    expect([at(0, { kvCacheUtilization: 0.5 }), at(15_000, { kvCacheUtilization: 0.51 })]).toEqual([undefined, 7]);
    // Not asked for again before its time; then it is held for five minutes after its last sign,
    // and settles for ten.
    expect([
      at(16_000, { kvCacheUtilization: 0.6 }),
      at(29_999, { kvCacheUtilization: 0.6 }),
      at(30_000, { readyInstances: 7, kvCacheUtilization: 0.6 }),
    ]).toEqual([undefined, undefined, 8]);
    expect(at(45_000, { readyInstances: 0, kvCacheUtilization: undefined })).toBe(8);
  });

  it('lets go of what a burst added one by one, five minutes after its last sign each', () => {
    const policy = changes.sage({ burstLastsMs: 0, maxOvershoot: 0.5, settleMs: 0, holdDelays: 0 });
    const flat = plan(Array<number>(12).fill(6));
    const counts: [number, number][] = [];
    let ready = 6;
    for (let nowMs = 0; nowMs <= 20 * MINUTE; nowMs += 15_000) {
      const decision = policy.decide(
        fleet({ readyInstances: ready, kvCacheUtilization: nowMs <= 15_000 ? 0.95 : 0.5 }, nowMs),
        flat,
        nowMs,
      )[0];
      if (decision !== undefined) counts.push([nowMs, (ready = decision.targetInstances)]);
    }
    expect(counts).toEqual([
      [0, 7],
      [15_000, 8],
      [5 * MINUTE + 15_000, 7],
      [10 * MINUTE + 15_000, 6],
    ]);
  });

  it('reads a plan by its own clock', () => {
    const schedule = [4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8];
    const at = (nowMs: number) =>
      changes
        .sage({ settleMs: 0, holdDelays: 0 })
        .decide(fleet({ readyInstances: 6 }, nowMs), plan(schedule, 5 * HOUR), nowMs)[0]?.targetInstances;
    expect([at(5 * HOUR), at(5 * HOUR + 17.4 * MINUTE), at(5 * HOUR + 17.5 * MINUTE), at(8 * HOUR)]).toEqual([
      4, 4, 8, 8,
    ]);
  });

  it('says what is needed, for how long, and what of it is for a burst', () => {
    const reason = (fields: Partial<EndpointSnapshot>, schedule: readonly number[]) =>
      changes.sage({ burstLastsMs: 0, settleMs: 0 }).decide(fleet(fields, 0), plan(schedule), 0)[0]?.reason;
    const flat = Array<number>(12).fill(6);
    expect(reason({ readyInstances: 4, provisioningDelayMs: 2.5 * MINUTE }, flat)).toBe('6 are needed within 4 min');
    expect(reason({ readyInstances: 6, kvCacheUtilization: 0.95, provisioningDelayMs: undefined }, flat)).toBe(
      '6 are needed within 4 min, and 1 more for a burst',
    );
    expect(reason({ readyInstances: 8, provisioningDelayMs: 2.5 * MINUTE }, flat)).toBe(
      '6 are needed within 4 min; 6 are enough for the next 19 min',
    );
  });

  it('takes an endpoint without speed or instances for one without a queue', () => {
    const flat = plan(Array<number>(12).fill(6));
    const asked = (made: PlacementPlan, fields: Partial<EndpointSnapshot>) =>
      changes
        .sage({ burstLastsMs: 0 })
        .decide(fleet({ kvCacheUtilization: 0.5, queuedTokens: 1e6, ...fields }, 0), made, 0)[0]?.targetInstances;
    expect(asked(flat, { readyInstances: 6 })).toBe(7);
    expect(asked(flat, { readyInstances: 0, provisioningInstances: 6, kvCacheUtilization: undefined })).toBeUndefined();
    const { tokensPerSPerInstance: _, ...slow } = flat;
    expect(asked(slow, { readyInstances: 6 })).toBeUndefined();
  });

  it('keeps each of two models, regions and SKUs by its own part of the plan', () => {
    const endpoints = fakeEndpoints(() => ({
      minInstances: 0,
      maxInstances: 20,
      readyInstances: 5,
      kvCacheUtilization: 0.5,
    }));
    const counts = Float64Array.of(1, 2, 3, 4, 6, 7, 8, 9);
    const target = new PlacementGrid(2, 2, 2, counts);
    const each = <T>(make: () => T) => Array.from({ length: 12 }, make);
    const made: PlacementPlan = {
      models: [...new Set(endpoints.map((one) => one.modelId))],
      regions: [...new Set(endpoints.map((one) => one.regionId))],
      skus: [...new Set(endpoints.map((one) => one.skuId))],
      target,
      validFromMs: 0,
      validUntilMs: HOUR,
      schedule: each(() => target),
      demand: {
        startMs: 0,
        stepMs: 10 * MINUTE,
        expectedTokensPerS: each(() => new PlacementGrid(2, 2, 1)),
        upperTokensPerS: each(() => new PlacementGrid(2, 2, 1)),
        mix: [undefined, undefined],
      },
    };
    const decisions = changes.sage().decide(fakeFleet(endpoints), made, 0);
    expect(decisions.map(({ endpointId, targetInstances }) => [endpointId, targetInstances])).toEqual(
      endpoints.map(({ endpointId }, i) => [endpointId, counts[i]]),
    );
    const unknown = endpoints.map((endpoint) => ({ ...endpoint, kvCacheUtilization: undefined }));
    expect(
      changes
        .sage()
        .decide(fakeFleet(unknown), made, 0)
        .map(({ targetInstances }) => targetInstances),
    ).toEqual([6, 7, 8, 9]);
    expect(
      changes
        .oracle()
        .decide(fakeFleet(unknown), made, 0)
        .map(({ targetInstances }) => targetInstances),
    ).toEqual([6, 7, 8, 9]);
    expect(
      changes
        .ltI()
        .decide(fakeFleet(unknown), made, 0)
        .map(({ targetInstances }) => targetInstances),
    ).toEqual([6, 7, 8, 9]);
    // What is on its way counts as held: five and three of it are eight.
    const coming = endpoints.map((endpoint) => ({ ...endpoint, provisioningInstances: 3 }));
    for (const policy of [changes.sage({ settleMs: 0 }), changes.oracle(), changes.ltI()])
      expect(
        policy.decide(fakeFleet(coming), made, 0).map(({ targetInstances }) => targetInstances),
        policy.name,
      ).toEqual([1, 2, 3, 4, 6, 7, 9]);
  });

  it('does not swing between two counts, whatever the load', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.2, max: 1, noNaN: true }), { minLength: 240, maxLength: 240 }),
        fc.integer({ min: 2, max: 8 }),
        (load, n) => {
          const counts = follow(
            {},
            () => plan(Array<number>(12).fill(n)),
            59 * MINUTE,
            (nowMs) => load[Math.floor(nowMs / 15_000)]!,
          ).map((c) => c.planned);
          const turns = counts.slice(1).filter((count, i) => count < counts[i]!).length;
          // Each way down takes the time to settle or the time that a burst is held.
          expect(turns).toBeLessThanOrEqual(1 + 60 / 5);
          expect(Math.max(...counts.slice(4))).toBeLessThanOrEqual(Math.max(4, n + Math.max(1, Math.floor(0.3 * n))));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is reactive without a plan, and leaves endpoints alone of which a plan says nothing', () => {
    const policy = changes.sage();
    expect(
      policy.decide(fakeFleet([fakeEndpoint({ readyInstances: 4, kvCacheUtilization: 0.8 })]), undefined, 0)[0]
        ?.targetInstances,
    ).toBe(5);
    const other = fakeFleet([
      fakeEndpoint({ modelId: modelId('other') }),
      fakeEndpoint({ regionId: regionId('elsewhere') }),
    ]);
    expect(policy.decide(other, plan([9]), 20_000)).toEqual([]);
    expect(() => changes.sage({ burstAbove: 2 })).toThrow('burstAbove: must be above 0 and at most 1, not 2');
  });
});
