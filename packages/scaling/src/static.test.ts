import { fakeEndpoint, fakeFleet, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createStaticScaling } from './static.js';

describe('createStaticScaling', () => {
  for (const check of scalingPolicyConformance(createStaticScaling)) it(check.name, check.run);

  it('leaves a burning fleet alone', () => {
    expect(createStaticScaling().decide(fakeFleet([fakeEndpoint({ kvCacheUtilization: 1 })]), undefined, 0)).toEqual([]);
  });
});
