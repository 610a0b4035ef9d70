import { createRng, modelId } from '@sageserve/core';
import { fakeEndpoint, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createPolicy, DEFAULT_CATALOGUE, type PolicyChoice } from './catalogue.js';
import { STRATEGIES } from './strategies.js';

const [large, small] = [modelId('large'), modelId('small')];

function scaling(choice: PolicyChoice) {
  const context = {
    rng: createRng('strategies'),
    regions: ['east'],
    models: [large, small],
    plan: () => undefined,
    kvWithinObjectives: () => undefined,
  };
  return createPolicy('strategy', 'strategies', STRATEGIES, choice, context).scaling;
}

/** What is asked for of two instances of each model. */
const asked = (choice: PolicyChoice, figures: Partial<ReturnType<typeof fakeEndpoint>>) =>
  [large, small].map(
    (id) =>
      scaling(choice).decide(
        fakeFleet([fakeEndpoint({ modelId: id, readyInstances: 2, maxInstances: 20, ...figures })]),
        undefined,
        0,
      )[0]?.targetInstances,
  );

describe('strategies of Kubernetes', () => {
  it('have targets for all models, or by model', () => {
    expect(asked('hpa', { kvCacheUtilization: 0.9 })).toEqual([3, 3]);
    expect(asked({ name: 'hpa', kvCacheUtilization: 0.3 }, { kvCacheUtilization: 0.9 })).toEqual([6, 6]);
    const byModel = { name: 'hpa', kvCacheUtilization: { large: 0.3, default: 0.9 } };
    expect(asked(byModel, { kvCacheUtilization: 0.9 })).toEqual([6, 2]);
    const running = { name: 'hpa', runningRequests: 10, tolerance: 0.5 };
    expect(asked(running, { kvCacheUtilization: 1, runningRequests: 29 })).toEqual([2, 2]);
    expect(asked(running, { kvCacheUtilization: 1, runningRequests: 32 })).toEqual([4, 4]);
    expect(asked({ name: 'keda-queue', queuedRequests: 2 }, { queuedRequests: 7 })).toEqual([4, 4]);
  });

  it('wait as long as they are told before they scale in', () => {
    const policy = scaling({ name: 'hpa', stabilizationMs: 30_000 });
    const at = (nowMs: number, readyInstances: number) =>
      policy.decide(fakeFleet([fakeEndpoint({ readyInstances, kvCacheUtilization: 0.1 })], nowMs), undefined, nowMs)[0]
        ?.targetInstances;
    expect([at(0, 6), at(15_000, 6), at(30_000, 6)]).toEqual([6, 6, 2]);
  });

  it('refuse options that they do not have, and models that there are not', () => {
    const refused: readonly (readonly [PolicyChoice, string])[] = [
      [{ name: 'hpa', kvUse: 0.3 }, 'strategies.kvUse: is not an option of this policy'],
      [{ name: 'hpa', kvCacheUtilization: 'full' }, 'strategies.kvCacheUtilization: must be a number, not "full"'],
      [{ name: 'hpa', kvCacheUtilization: 0 }, 'strategies.kvCacheUtilization: must be above 0, not 0'],
      [
        { name: 'hpa', runningRequests: { larg: 3, default: 1 } },
        'strategies.runningRequests.larg: is not a model of the fleet',
      ],
      [{ name: 'hpa', runningRequests: { large: 3 } }, 'strategies.runningRequests: has nothing for small'],
      [{ name: 'hpa', runningRequests: { default: NaN } }, 'strategies.runningRequests.default: must be a number'],
      [{ name: 'keda-queue', queuedRequests: { default: 1 } }, 'strategies.queuedRequests: must be a number'],
      [{ name: 'hpa', kvCacheUtilization: 70 }, 'strategies.kvCacheUtilization: must be at most 1, not 70'],
      [{ name: 'hpa', measured: true, runningRequests: 3 }, 'strategies.measured: is about kvCacheUtilization'],
      [{ name: 'sage', headroom: 1 }, 'strategies.headroom: must be under 1, not 1'],
      [{ name: 'lt-i', headroom: 1.2 }, 'strategies.headroom: must be under 1'],
      [{ name: 'oracle', demandQuantile: 1 }, 'strategies.demandQuantile: must be between 0 and 1'],
      [{ name: 'reactive-h', kvFactor: 0 }, 'strategies.kvFactor: must be above 0'],
      [{ name: 'clairvoyant', routeFactor: -1 }, 'strategies.routeFactor: must be above 0'],
      [{ name: 'sage', arrivalShare: 7 }, 'strategies.arrivalShare: must be at most 1'],
    ];
    for (const [choice, message] of refused) expect(() => scaling(choice)).toThrow(message);
    expect(() => scaling({ name: 'hpa', kvUse: 0.3 })).toThrow(
      expect.objectContaining({
        hint: 'It takes kvCacheUtilization, runningRequests, queuedRequests, tolerance, everyMs, stabilizationMs.',
      }),
    );
  });
});

describe('limits by what a model carries', () => {
  const context = {
    rng: createRng('limits'),
    regions: ['east'],
    models: [large, small],
    plan: () => undefined,
    kvWithinObjectives: (id: string) => (id === large ? 0.2 : 0.5),
  };
  const relative = (choice: PolicyChoice, modelId: typeof large, kvCacheUtilization: number) =>
    createPolicy('strategy', 'strategies', STRATEGIES, choice, context).scaling.decide(
      fakeFleet([fakeEndpoint({ modelId, readyInstances: 2, maxInstances: 20, kvCacheUtilization })]),
      undefined,
      0,
    )[0]?.targetInstances;

  it('make one threshold of several', () => {
    const choice = { name: 'reactive', measured: true, scaleOutAbove: 0.8, scaleInBelow: 0.1 };
    expect([relative(choice, large, 0.17), relative(choice, large, 0.15)]).toEqual([3, 2]);
    expect([relative(choice, small, 0.41), relative(choice, small, 0.39)]).toEqual([3, 2]);
    // Of twice as much.
    expect([
      relative({ ...choice, measured: 2 }, large, 0.33),
      relative({ ...choice, measured: 2 }, large, 0.31),
    ]).toEqual([3, 2]);
    expect(() => relative({ ...choice, measured: 0 }, large, 0.1)).toThrow(
      'strategies.measured: must be above 0, not 0',
    );
    expect(() => relative({ ...choice, measured: 'yes' }, large, 0.1)).toThrow(
      'strategies.measured: must be true, false or a number above 0, not "yes"',
    );
  });

  it('contradict limits that are given as they are', () => {
    const make = (options: object) =>
      createPolicy(
        'release policy',
        'release',
        DEFAULT_CATALOGUE.releasePolicies,
        { name: 'headroom', ...options },
        context,
      );
    expect(() => make({ kvUnder: 0.5, kvFactor: 1 })).toThrow('release.kvUnder: contradicts kvFactor');
    expect(() => make({ kvFactor: -1 })).toThrow('release.kvFactor: must be above 0, not -1');
    expect(make({ kvFactor: 1 }).name).toBe('headroom');
  });
});
