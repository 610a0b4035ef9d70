import { regionRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { compareRouters } from './compare-routers.js';
import { createStickyRouter } from './sticky-router.js';

describe('a router of one’s own', () => {
  for (const check of regionRouterConformance(createStickyRouter)) it(check.name, check.run);

  it('runs beside the built-in ones', async () => {
    const results = await compareRouters();
    expect(Object.keys(results)).toEqual(['utilization', 'sticky']);
    for (const { ttftP95Ms } of Object.values(results)) expect(ttftP95Ms).toBeGreaterThan(0);
  });
});
