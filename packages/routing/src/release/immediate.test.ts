import { fakeHeldQueue, fakeLoad, releasePolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createImmediateRelease } from './immediate.js';

describe('createImmediateRelease', () => {
  for (const check of releasePolicyConformance(() => createImmediateRelease(), { holdsNothing: true }))
    it(check.name, check.run);

  it('holds nothing', () => {
    expect(createImmediateRelease().release(fakeHeldQueue([1e9, 2e9]), fakeLoad({ kvCacheUtilization: 1 }), 0)).toBe(2);
  });
});
