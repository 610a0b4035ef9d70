import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createStaticScaling } from './static.js';
import { changes } from './fixtures.js';

describe('createStaticScaling', () => {
  for (const check of scalingPolicyConformance(createStaticScaling)) it(check.name, check.run);

  it('leaves a burning fleet alone', () => {
    expect(changes.static().decide(fakeFleet([fakeEndpoint({ kvCacheUtilization: 1 })]), undefined, 0)).toEqual([]);
  });

  it(
    'asks for what the fleet began with, also where it was lost before the first look, and not while a region is ' +
      'down',
    () => {
      const endpoint = fakeEndpoint({ readyInstances: 0, minInstances: 1, maxInstances: 9, initialInstances: 4 });
      const { regionId, skuId } = endpoint;
      const fleet = (gpuCapacity: number, of: { regionId?: typeof regionId; skuId?: typeof skuId } = {}) => ({
        ...fakeFleet([endpoint]),
        capacity: [{ regionId, skuId, gpuCapacity, gpusInUse: 0, spotInstances: new Map(), ...of }],
      });
      const policy = changes.static();
      expect(policy.decide(fleet(0), undefined, 0)).toEqual([]);
      expect(policy.decide(fleet(8), undefined, 1)).toMatchObject([
        { endpointId: endpoint.endpointId, targetInstances: 4, reason: '0 are left of 4' },
      ]);
      // Nothing is left of another SKU, or in another region.
      expect(policy.decide(fleet(0, { skuId: 'other' as typeof skuId }), undefined, 2)).toHaveLength(1);
      expect(policy.decide(fleet(0, { regionId: 'other' as typeof regionId }), undefined, 2)).toHaveLength(1);
      // A host that does not say what there was at first.
      const { initialInstances: _, ...unsaid } = endpoint;
      expect(changes.static().decide(fakeFleet([unsaid]), undefined, 0)).toMatchObject([{ targetInstances: 1 }]);
    },
  );
});
