import { modelId } from '@sageserve/core';
import { fakeHeldQueue, fakeLoad, releasePolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createHeadroomRelease } from './headroom.js';

describe('createHeadroomRelease', () => {
  for (const check of releasePolicyConformance(() => createHeadroomRelease())) it(check.name, check.run);

  const day = 86_400_000;
  const release = (load: Parameters<typeof fakeLoad>[0], options?: Parameters<typeof createHeadroomRelease>[0]) =>
    createHeadroomRelease(options).release(fakeHeldQueue(Array<number>(100).fill(day)), fakeLoad(load), 0);

  it('fills memory and prompts up to their limits, more at once in larger pools', () => {
    expect(release({ kvCacheUtilization: 0.79 })).toBe(1);
    expect(release({ kvCacheUtilization: 0.8 })).toBe(0);
    expect(release({ kvCacheUtilization: 0.1, queuedTokens: 1_999 })).toBe(1);
    expect(release({ kvCacheUtilization: 0.1, queuedTokens: 2_000 })).toBe(0);
    expect(release({ readyInstances: 8, kvCacheUtilization: 0.1 })).toBe(2);
    expect(release({ kvCacheUtilization: undefined })).toBe(0);
  });

  it('takes its limit by model', () => {
    const kvUnder = (id: string) => (id === 'large' ? 0.3 : 0.9);
    expect(release({ modelId: modelId('large'), kvCacheUtilization: 0.4 }, { kvUnder })).toBe(0);
    expect(release({ modelId: modelId('small'), kvCacheUtilization: 0.4 }, { kvUnder })).toBe(1);
  });

  it('lets go of what is due whatever the load', () => {
    const held = fakeHeldQueue([1_000, 2_000, day]);
    expect(createHeadroomRelease().release(held, fakeLoad({ kvCacheUtilization: 1 }), 0)).toBe(2);
    expect(() => createHeadroomRelease({ kvUnder: 2 })).toThrow('kvUnder: must be from 0 to 1, not 2');
  });
});
