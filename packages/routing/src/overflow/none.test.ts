import { fakeLoad, fakeRequest, overflowPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createNoOverflow } from './none.js';

describe('createNoOverflow', () => {
  for (const check of overflowPolicyConformance(createNoOverflow)) it(check.name, check.run);

  it('keeps every request at home', () => {
    const full = [fakeLoad({ kvCacheUtilization: 1 }), fakeLoad({ readyInstances: 0, kvCacheUtilization: undefined })];
    for (const home of full) expect(createNoOverflow().overflows(fakeRequest(), home, fakeLoad(), 0)).toBe(false);
  });
});
