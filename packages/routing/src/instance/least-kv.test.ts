import { fakeInstancePool, fakeRequest, instanceRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createLeastKvRouter } from './least-kv.js';

describe('createLeastKvRouter', () => {
  for (const check of instanceRouterConformance(() => createLeastKvRouter())) it(check.name, check.run);

  it('takes the lowest KV utilisation, then the fewest tokens', () => {
    const route = (instances: [number, number][]) =>
      createLeastKvRouter().route(
        fakeRequest(),
        fakeInstancePool(
          instances.map(([kvCacheUtilization, outstandingTokens]) => ({ kvCacheUtilization, outstandingTokens })),
        ),
        0,
      );
    expect(
      route([
        [0.5, 0],
        [0.4, 900],
      ]),
    ).toBe(1);
    expect(
      route([
        [0.4, 10],
        [0.4, 5],
      ]),
    ).toBe(1);
  });
});
