import type { EndpointId, EndpointSnapshot, ScalingPolicy } from '@sageserve/core';
import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createHpaScaling, type HpaOptions } from './hpa.js';
import { HPA_SCALE_IN } from './hpa-behavior.js';
import { countForMean, countForSum } from './hpa-count.js';
import { createKedaQueueScaling } from './keda-queue.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('the count of a mean', () => {
  it.each([
    // Kubernetes' documentation: twice the target doubles, half of it halves.
    ['twice the target', 200, 100, { wanted: 3, ready: 3, unready: 0 }, 6],
    ['half of it', 50, 100, { wanted: 4, ready: 4, unready: 0 }, 2],
    ['a part is a whole', 120, 100, { wanted: 3, ready: 3, unready: 0 }, 4],
    ['within the tolerance', 110, 100, { wanted: 3, ready: 3, unready: 0 }, 3],
    ['and below', 90, 100, { wanted: 3, ready: 3, unready: 0 }, 3],
    ['just outside', 111, 100, { wanted: 3, ready: 3, unready: 0 }, 4],
    // Its tests: what is not ready uses nothing where there would be more…
    ['unready, less', 600, 300, { wanted: 3, ready: 2, unready: 1 }, 4],
    ['unready, none', 400, 300, { wanted: 3, ready: 1, unready: 2 }, 3],
    // …and is left out where there would be less.
    ['unready, in', 300, 500, { wanted: 5, ready: 3, unready: 2 }, 2],
    ['unready, within the tolerance once it counts', 150, 100, { wanted: 3, ready: 2, unready: 1 }, 3],
    ['unready, within the tolerance of many', 150, 100, { wanted: 20, ready: 14, unready: 6 }, 20],
    ['nothing is used', 0, 100, { wanted: 3, ready: 3, unready: 0 }, 0],
    // 60 ÷ 9 ÷ 5 × 9 is not quite 12 in floating point.
    ['a whole number, but for rounding', 60 / 9, 5, { wanted: 9, ready: 9, unready: 0 }, 12],
    ['and with one that is not ready', 60 / 9, 5, { wanted: 10, ready: 9, unready: 1 }, 12],
  ] as const)('%s', (_, mean, target, replicas, count) => {
    expect(countForMean(mean, target, replicas, 0.1)).toBe(count);
  });
});

describe('the count of a sum', () => {
  it.each([
    [50, 5, 4, 10],
    [22, 5, 4, 4],
    [23, 5, 4, 5],
    [18, 5, 4, 4],
    [17, 5, 4, 4],
    [15, 5, 4, 3],
    [0, 5, 4, 0],
    [1, 5, 0, 1],
  ])('%i for %i each, from %i', (sum, target, wanted, count) => {
    expect(countForSum(sum, target, wanted, 0.1)).toBe(count);
  });
});

/** An endpoint whose instances come a while after they are asked for, and what is asked for. */
function driven(policy: ScalingPolicy, first: Partial<EndpointSnapshot> = {}, delayMs = 0) {
  let endpoint = fakeEndpoint({ minInstances: 1, maxInstances: 100, provisioningInstances: 0, ...first });
  let wanted = endpoint.readyInstances!;
  const coming: { readonly readyAtMs: number; readonly count: number }[] = [];
  return {
    /** What is asked for at a time; `undefined` where nothing is said. */
    at(nowMs: number, figures: Partial<EndpointSnapshot>): number | undefined {
      endpoint = { ...endpoint, ...figures };
      const [decision] = policy.decide(fakeFleet([endpoint], nowMs), undefined, nowMs);
      if (decision === undefined) return undefined;
      const { targetInstances: target } = decision;
      if (target > wanted) coming.push({ readyAtMs: nowMs + delayMs, count: target - wanted });
      wanted = target;
      const pending = coming.filter(({ readyAtMs }) => readyAtMs > nowMs).reduce((sum, { count }) => sum + count, 0);
      endpoint = { ...endpoint, readyInstances: wanted - pending, provisioningInstances: pending };
      return target;
    },
  };
}

describe('createHpaScaling', () => {
  for (const check of scalingPolicyConformance(createHpaScaling)) it(check.name, check.run);

  const hpa = (options: HpaOptions = {}, first: Partial<EndpointSnapshot> = {}, delayMs = 0) =>
    driven(createHpaScaling(options), first, delayMs);

  it('looks every 15 s, goes out at once, by four or to twice as many, and within its bounds', () => {
    const { at } = hpa({}, { readyInstances: 1, maxInstances: 30 });
    const full = { kvCacheUtilization: 1 };
    // One with a target of 0.7: the ratio is 1.43, and it takes several looks.
    expect(at(0, full)).toBe(2);
    expect(at(14 * SECOND, full)).toBeUndefined();
    expect([15, 30, 45, 60, 75, 90].map((s) => at(s * SECOND, full))).toEqual([3, 5, 8, 12, 18, 26]);
    expect(at(105 * SECOND, full)).toBe(30);
    // Ten times the target is more than may come at once.
    const queue = hpa({ targets: { queuedRequests: 1 } }, { readyInstances: 1 });
    expect([0, 15, 30, 45].map((s) => queue.at(s * SECOND, { queuedRequests: 10_000 }))).toEqual([5, 10, 20, 40]);
  });

  it('keeps its pace where it is asked at other times than its own', () => {
    const looks = (everyS: number): number => {
      const { at } = hpa();
      let count = 0;
      for (let s = 0; s < 600; s += everyS) if (at(s * SECOND, { kvCacheUtilization: 0.7 }) !== undefined) count++;
      return count;
    };
    expect([1, 5, 10, 12, 14].map(looks)).toEqual([40, 40, 40, 40, 40]);
    expect(looks(20)).toBe(30);
  });

  it('goes in after five minutes, to the highest count of that time, and not before it has looked for so long', () => {
    const { at } = hpa({}, { readyInstances: 8 });
    for (let s = 0; s < 300; s += 15) expect(at(s * SECOND, { kvCacheUtilization: 0.1 })).toBe(8);
    expect(at(300 * SECOND, { kvCacheUtilization: 0.35 })).toBe(4);
    // A short peak of late counts.
    expect(at(315 * SECOND, { kvCacheUtilization: 0.7 })).toBe(4);
    for (let s = 330; s < 615; s += 15) expect(at(s * SECOND, { kvCacheUtilization: 0.1 })).toBe(4);
    expect(at(615 * SECOND, { kvCacheUtilization: 0.1 })).toBe(1);
    expect(at(10 * MINUTE + 30 * SECOND, { kvCacheUtilization: 0 })).toBe(1);
  });

  it('asks for no more while what it asked for is on its way', () => {
    const { at } = hpa({}, { readyInstances: 4 }, 10 * MINUTE);
    expect(at(0, { kvCacheUtilization: 1 })).toBe(6);
    for (let s = 15; s < 600; s += 15) expect(at(s * SECOND, { kvCacheUtilization: 1 })).toBe(6);
    expect(at(600 * SECOND, { kvCacheUtilization: 1 })).toBe(6);
    expect(at(615 * SECOND, { kvCacheUtilization: 1 })).toBe(9);
  });

  it('takes the metric that asks for most, and scales nothing in where one is not known', () => {
    const targets = { kvCacheUtilization: 0.5, runningRequests: 10, queuedRequests: 2 };
    const { at } = hpa(
      {
        targets,
        scaleIn: { stabilizationMs: 0, policies: [{ type: 'percent', value: 100, periodMs: 1 }], select: 'max' },
      },
      { readyInstances: 4 },
    );
    const quiet = { kvCacheUtilization: 0.1, runningRequests: 0, queuedRequests: 0 };
    expect(at(0, { ...quiet, runningRequests: 60 })).toBe(6);
    expect(at(MINUTE, { ...quiet, queuedRequests: 24 })).toBe(12);
    expect(at(2 * MINUTE, { ...quiet, kvCacheUtilization: undefined })).toBe(12);
    expect(at(3 * MINUTE, { ...quiet, kvCacheUtilization: undefined, queuedRequests: 48 })).toBe(24);
    expect(
      at(4 * MINUTE, { kvCacheUtilization: undefined, runningRequests: undefined, queuedRequests: undefined }),
    ).toBe(24);
    expect(at(5 * MINUTE, quiet)).toBe(5);
  });

  it('asks again for what was lost, and never for none', () => {
    const { at } = hpa({}, { readyInstances: 4, minInstances: 0 });
    expect(at(0, { kvCacheUtilization: 0.7 })).toBe(4);
    expect(at(MINUTE, { readyInstances: 1, kvCacheUtilization: 0.7 })).toBe(4);
    expect(at(2 * MINUTE, { readyInstances: 0, kvCacheUtilization: undefined })).toBe(4);
    for (let m = 3; m < 9; m++) at(m * MINUTE, { readyInstances: 4, kvCacheUtilization: 0 });
    expect(at(9 * MINUTE, { kvCacheUtilization: 0 })).toBe(1);
  });

  it('takes what is there for what was asked for where somebody else asked for more', () => {
    const { at } = hpa({}, { readyInstances: 4 });
    expect(at(0, { kvCacheUtilization: 0.7 })).toBe(4);
    expect(at(MINUTE, { readyInstances: 9, kvCacheUtilization: undefined })).toBe(9);
    expect(at(2 * MINUTE, { kvCacheUtilization: 0.7 })).toBe(9);
    // And so where it was not done as it asked.
    expect(at(8 * MINUTE, { kvCacheUtilization: 0.07 })).toBe(1);
    expect(at(9 * MINUTE, { readyInstances: 9, kvCacheUtilization: 0.7 })).toBe(9);
  });

  it('goes by what it asked for where what is seen is older than that', () => {
    const policy = createHpaScaling();
    const seen = (nowMs: number, atMs: number, readyInstances: number, kvCacheUtilization: number | undefined) =>
      policy.decide(
        fakeFleet(
          [fakeEndpoint({ readyInstances, provisioningInstances: 0, minInstances: 1, kvCacheUtilization })],
          atMs,
        ),
        undefined,
        nowMs,
      )[0]!.targetInstances;
    for (let s = 0; s < 300; s += 15) expect(seen(s * SECOND, s * SECOND, 8, 0.35)).toBe(8);
    expect(seen(300 * SECOND, 300 * SECOND, 8, 0.35)).toBe(4);
    expect(seen(315 * SECOND, 299 * SECOND, 8, 0.66)).toBe(4);
    expect(seen(330 * SECOND, 300 * SECOND, 8, undefined)).toBe(4);
    expect(seen(345 * SECOND, 340 * SECOND, 4, 0.7)).toBe(4);
  });

  it('waits its five minutes from the first look on, whether a metric was known or not', () => {
    const { at } = hpa({}, { readyInstances: 8 });
    expect(at(0, { kvCacheUtilization: undefined })).toBe(8);
    for (let s = 15; s < 300; s += 15) expect(at(s * SECOND, { kvCacheUtilization: 0.35 })).toBe(8);
    expect(at(300 * SECOND, { kvCacheUtilization: 0.35 })).toBe(4);
  });

  it('counts a change of bounds among what was added', () => {
    const policies = [{ type: 'pods', value: 4, periodMs: MINUTE } as const];
    const { at } = hpa({ scaleOut: { stabilizationMs: 0, policies, select: 'max' } }, { readyInstances: 4 });
    expect(at(0, { kvCacheUtilization: 0.7 })).toBe(4);
    expect(at(15 * SECOND, { minInstances: 7 })).toBe(7);
    expect(at(30 * SECOND, { kvCacheUtilization: 1 })).toBe(8);
  });

  it('takes the requests of a pool for those of all its SKUs', () => {
    const policy = createHpaScaling({ targets: { runningRequests: 10 } });
    const keda = createKedaQueueScaling();
    const pool = ['a', 'b'].map((id) =>
      fakeEndpoint({
        endpointId: id as EndpointId,
        readyInstances: 3,
        provisioningInstances: 0,
        minInstances: 1,
        maxInstances: 100,
        runningRequests: 90,
        queuedRequests: 40,
      }),
    );
    const targets = (one: ScalingPolicy, endpoints: EndpointSnapshot[]) =>
      one.decide(fakeFleet(endpoints, 0), undefined, 0).map(({ targetInstances }) => targetInstances);
    expect(targets(policy, pool)).toEqual([5, 5]);
    expect(targets(keda, pool)).toEqual([4, 4]);
    const cold = pool.map((one) => ({ ...one, readyInstances: 0, provisioningInstances: 1 }));
    expect(targets(createKedaQueueScaling(), cold)).toEqual([4, 4]);
  });

  it('comes into bounds that have changed at once', () => {
    const { at } = hpa({}, { readyInstances: 4 });
    expect(at(0, { kvCacheUtilization: 0.7 })).toBe(4);
    expect(at(MINUTE, { minInstances: 6 })).toBe(6);
    expect(at(2 * MINUTE, { minInstances: 1, maxInstances: 3 })).toBe(3);
  });

  it('has targets by model', () => {
    const { at } = hpa(
      { targets: { kvCacheUtilization: (id) => (id === fakeEndpoint().modelId ? 0.25 : 1) } },
      { readyInstances: 4 },
    );
    expect(at(0, { kvCacheUtilization: 0.5 })).toBe(8);
  });

  it('goes on from where it was after a restart', () => {
    const whole = createHpaScaling();
    const fleet = (nowMs: number, kvCacheUtilization: number) =>
      fakeFleet(
        [fakeEndpoint({ readyInstances: 8, provisioningInstances: 0, minInstances: 1, kvCacheUtilization })],
        nowMs,
      );
    whole.decide(fleet(0, 0.7), undefined, 0);
    const next = createHpaScaling();
    next.restore!(whole.save!());
    expect(next.decide(fleet(5 * SECOND, 0.1), undefined, 5 * SECOND)).toEqual([]);
    for (let s = 15; s <= 315; s += 15)
      expect(next.decide(fleet(s * SECOND, 0.1), undefined, s * SECOND)).toEqual(
        whole.decide(fleet(s * SECOND, 0.1), undefined, s * SECOND),
      );
  });

  it('refuses what can’t be', () => {
    const refused: readonly (readonly [HpaOptions, string])[] = [
      [{ targets: {} }, 'targets: needs a target'],
      [{ targets: { kvCacheUtilization: 0 } }, 'targets.kvCacheUtilization: must be above 0'],
      [{ tolerance: 1 }, 'tolerance: must be from 0'],
      [{ everyMs: NaN }, 'everyMs: must be 0 or more'],
      [{ scaleIn: { stabilizationMs: -1, policies: [], select: 'max' } }, 'scaleIn.stabilizationMs'],
      [
        { scaleOut: { stabilizationMs: 0, policies: [{ type: 'pods', value: 0, periodMs: 1 }], select: 'max' } },
        'scaleOut.policies[0].value',
      ],
      [
        { scaleOut: { stabilizationMs: 0, policies: [{ type: 'pods', value: 1, periodMs: 0 }], select: 'max' } },
        'scaleOut.policies[0].periodMs',
      ],
    ];
    for (const [options, message] of refused) expect(() => createHpaScaling(options)).toThrow(message);
  });
});

describe('createKedaQueueScaling', () => {
  for (const check of scalingPolicyConformance(createKedaQueueScaling)) it(check.name, check.run);

  it('asks for an instance for so many that wait, whether those that are there are ready or not', () => {
    const { at } = driven(createKedaQueueScaling(), { readyInstances: 2 }, 10 * MINUTE);
    expect(at(0, { queuedRequests: 30 })).toBe(6);
    expect(at(15 * SECOND, { queuedRequests: 100 })).toBe(12);
    expect(at(30 * SECOND, { queuedRequests: undefined })).toBe(12);
    for (let s = 45; s < 315; s += 15) expect(at(s * SECOND, { queuedRequests: 0 })).toBe(12);
    expect(at(5 * MINUTE + 15 * SECOND, { queuedRequests: 0 })).toBe(1);
  });

  it('goes to none after its cooldown without a request, and to one as soon as one waits', () => {
    const options = { cooldownMs: 10 * MINUTE };
    const { at } = driven(createKedaQueueScaling(options), { readyInstances: 2, minInstances: 0 });
    expect(at(0, { queuedRequests: 0, runningRequests: 1 })).toBe(2);
    const counts: (number | undefined)[] = [];
    for (let m = 1; m <= 11; m++) counts.push(at(m * MINUTE, { queuedRequests: 0, runningRequests: 0 }));
    expect(counts).toEqual([2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0]);
    expect(at(12 * MINUTE, { queuedRequests: 1 })).toBe(1);
    // Also where none was seen since the start,…
    const idle = driven(createKedaQueueScaling(), { readyInstances: 2, minInstances: 0 });
    const quiet = { queuedRequests: 0, runningRequests: 0 };
    expect([0, 4, 5].map((m) => idle.at(m * MINUTE, quiet))).toEqual([2, 2, 0]);
    // …and whatever was asked for of late.
    const hour = { ...HPA_SCALE_IN, stabilizationMs: 60 * MINUTE };
    const slow = driven(createKedaQueueScaling({ scaleIn: hour }), { readyInstances: 2, minInstances: 0 });
    expect(slow.at(0, { queuedRequests: 40, runningRequests: 1 })).toBe(6);
    expect([1, 4, 5, 6].map((m) => slow.at(m * MINUTE, quiet))).toEqual([6, 6, 0, 0]);
    // But never on what is not known.
    const blind = driven(createKedaQueueScaling({ cooldownMs: 0 }), { readyInstances: 2, minInstances: 0 });
    const unknown = { queuedRequests: undefined, runningRequests: undefined };
    expect([0, 1].map((m) => blind.at(m * MINUTE, unknown))).toEqual([2, 2]);
    // What is held back waits too.
    const held = createKedaQueueScaling({ cooldownMs: 0 });
    const none = fakeEndpoint({
      readyInstances: 0,
      provisioningInstances: 0,
      minInstances: 0,
      queuedRequests: 0,
      runningRequests: 0,
    });
    const backlog = (requests: number) => [
      { modelId: none.modelId, requests, promptTokens: 1, earliestDeadlineAtMs: 9, due: [], arrivedTokensPerS: 0 },
    ];
    const asked = (nowMs: number, requests: number) =>
      held.decide({ ...fakeFleet([none], nowMs), backlog: backlog(requests) }, undefined, nowMs)[0]?.targetInstances;
    expect([asked(0, 0), asked(MINUTE, 3)]).toEqual([0, 1]);
    expect(() => createKedaQueueScaling({ queuedRequests: 0 })).toThrow('queuedRequests: must be above 0');
    expect(() => createKedaQueueScaling({ cooldownMs: -1 })).toThrow('cooldownMs: must be 0 or more');
  });
});
