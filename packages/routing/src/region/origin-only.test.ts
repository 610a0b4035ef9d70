import { fakeRegionPool, fakeRequest, regionRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createOriginOnlyRouter } from './origin-only.js';

describe('createOriginOnlyRouter', () => {
  for (const check of regionRouterConformance(() => createOriginOnlyRouter())) it(check.name, check.run);

  it('stays at home however full that is, and leaves only where home may not serve', () => {
    const router = createOriginOnlyRouter();
    expect(router.route(fakeRequest({ originRegion: 1 }), fakeRegionPool([{}, { kvCacheUtilization: 3 }]), 0)).toBe(1);
    expect(router.route(fakeRequest({ originRegion: 1 }), fakeRegionPool([{}, { hosts: false }]), 0)).toBe(0);
    expect(router.route(fakeRequest({ originRegion: 1 }), fakeRegionPool([{}, { allowed: false }]), 0)).toBe(0);
  });
});
