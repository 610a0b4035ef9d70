import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createStaticScaling } from './static.js';

describe('createStaticScaling', () => {
  for (const check of scalingPolicyConformance(createStaticScaling)) it(check.name, check.run);

  it('leaves a burning fleet alone', () => {
    expect(createStaticScaling().decide(fakeFleet([fakeEndpoint({ kvCacheUtilization: 1 })]), undefined, 0)).toEqual([]);
  });

  it('asks for what the fleet began with, also where it was lost before the first look, and not while a region is down', () => {
    const endpoint = fakeEndpoint({ readyInstances: 0, minInstances: 1, maxInstances: 9, initialInstances: 4 });
    const { regionId, skuId } = endpoint;
    const fleet = (gpuCapacity: number, of = skuId) => ({
      ...fakeFleet([endpoint]),
      capacity: [{ regionId, skuId: of, gpuCapacity, gpusInUse: 0, spotInstances: new Map() }],
    });
    const policy = createStaticScaling();
    expect(policy.decide(fleet(0), undefined, 0)).toEqual([]);
    expect(policy.decide(fleet(8), undefined, 1)).toMatchObject([{ endpointId: endpoint.endpointId, targetInstances: 4, reason: '0 are left of 4' }]);
    expect(policy.decide(fleet(0, 'other' as typeof skuId), undefined, 2)).toHaveLength(1);
    // A host that does not say what there was at first.
    const { initialInstances: _, ...unsaid } = endpoint;
    expect(createStaticScaling().decide(fakeFleet([unsaid]), undefined, 0)).toMatchObject([{ targetInstances: 1 }]);
  });
});
