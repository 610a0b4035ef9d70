import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createReactiveScaling } from './reactive.js';
import { changes } from './fixtures.js';

describe('createReactiveScaling', () => {
  for (const check of scalingPolicyConformance(() => createReactiveScaling())) it(check.name, check.run);

  const target = (fields: Parameters<typeof fakeEndpoint>[0]) =>
    changes.reactive().decide(fakeFleet([fakeEndpoint(fields)]), undefined, 0)[0]?.targetInstances;

  it('adds one above 0.7, removes one below 0.3, and rests in between', () => {
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.71 })).toBe(5);
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.29 })).toBe(3);
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.7 })).toBeUndefined();
    expect(target({ readyInstances: 4, kvCacheUtilization: 0.3 })).toBeUndefined();
  });

  it('keeps to the bounds, and counts what is being provisioned', () => {
    expect(target({ readyInstances: 8, provisioningInstances: 2, kvCacheUtilization: 0.9 })).toBeUndefined();
    expect(target({ readyInstances: 2, kvCacheUtilization: 0.1 })).toBeUndefined();
    expect(target({ readyInstances: 0, provisioningInstances: 1, kvCacheUtilization: undefined })).toBe(2);
  });

  it('comes back from nothing when requests wait', () => {
    const none = { minInstances: 0, readyInstances: 0, kvCacheUtilization: undefined };
    expect(target({ ...none, queuedRequests: 1 })).toBe(1);
    expect(target({ ...none, queuedRequests: 0 })).toBeUndefined();
    expect(target({ ...none, provisioningInstances: 1, queuedRequests: 5 })).toBeUndefined();
  });

  it('rests for fifteen seconds after each step', () => {
    const policy = changes.reactive();
    const hot = fakeFleet([fakeEndpoint({ kvCacheUtilization: 0.9 })]);
    const steps = Array.from({ length: 46 }, (_, s) => policy.decide(hot, undefined, s * 1_000).length);
    expect(steps.flatMap((n, s) => (n > 0 ? [s] : []))).toEqual([0, 15, 30, 45]);
  });

  it('refuses thresholds that cross', () => {
    expect(() => changes.reactive({ scaleOutAbove: 0.4, scaleInBelow: 0.5 })).toThrow(
      'scaleInBelow: must be from 0 to under scaleOutAbove (0.4), not 0.5',
    );
  });
});
