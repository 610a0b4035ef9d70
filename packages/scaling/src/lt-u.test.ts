import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { changes, fakePlan } from './fixtures.js';
import { createLtUtilizationScaling } from './lt-u.js';

describe('createLtUtilizationScaling', () => {
  for (const check of scalingPolicyConformance(() => createLtUtilizationScaling())) it(check.name, check.run);

  const target = (fields: Parameters<typeof fakeEndpoint>[0], plan: number) =>
    changes.ltU().decide(fakeFleet([fakeEndpoint(fields)]), fakePlan(plan), 0)[0]?.targetInstances;

  it('steps towards the plan when utilisation asks for it, and no further', () => {
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.71 }, 6)).toBe(5);
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.5 }, 6)).toBeUndefined();
    expect(target({ readyInstances: 6, kvCacheUtilization: 0.71 }, 6)).toBeUndefined();
    expect(target({ readyInstances: 6, kvCacheUtilization: 0.29 }, 4)).toBe(5);
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.29 }, 4)).toBeUndefined();
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.1 }, 6)).toBeUndefined();
  });

  it('passes the plan by one, and only one, above 0.9', () => {
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.91 }, 4)).toBe(5);
    expect(target({ readyInstances: 5, kvCacheUtilization: 0.95 }, 4)).toBeUndefined();
    expect(target({ readyInstances: 10, kvCacheUtilization: 0.95 }, 10)).toBeUndefined();
  });

  it('restores a minimum that was lost, and refuses thresholds that cross', () => {
    expect(target({ readyInstances: 0, kvCacheUtilization: undefined }, 4)).toBe(2);
    expect(() => changes.ltU({ passAbove: 0.5 })).toThrow('passAbove: must be at least scaleOutAbove (0.7), not 0.5');
    expect(() => changes.ltU({ scaleInBelow: 0.8 })).toThrow(
      'scaleInBelow: must be from 0 to under scaleOutAbove (0.7), not 0.8',
    );
  });
});
