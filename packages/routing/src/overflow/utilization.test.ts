import { fakeLoad, fakeRequest, overflowPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createUtilizationOverflow } from './utilization.js';

describe('createUtilizationOverflow', () => {
  for (const check of overflowPolicyConformance(() => createUtilizationOverflow())) it(check.name, check.run);

  type Load = readonly [kvCacheUtilization: number | undefined, readyInstances?: number | 'unknown'];
  const load = ([kvCacheUtilization, ready = 2]: Load) =>
    fakeLoad({ kvCacheUtilization, readyInstances: ready === 'unknown' ? undefined : ready });
  const overflows = (home: Load, other: Load, threshold?: number) =>
    createUtilizationOverflow(threshold === undefined ? {} : { threshold }).overflows(
      fakeRequest(),
      load(home),
      load(other),
      0,
    );

  it('passes on from 0.6 on, to a pool that is less utilised', () => {
    expect([0.59, 0.6, 0.61, 1.1].map((home) => overflows([home], [0.1]))).toEqual([false, true, true, true]);
    expect([0.79, 0.8, 0.81].map((other) => overflows([0.8], [other]))).toEqual([true, false, false]);
    expect([0.3, 0.29].map((home) => overflows([home], [0.1], 0.3))).toEqual([true, false]);
  });

  it('takes a pool without ready instances for full', () => {
    const none: Load = [undefined, 0];
    expect(overflows(none, [5])).toBe(true);
    expect(overflows(none, [undefined, 1])).toBe(true);
    expect(overflows(none, [0.9, 'unknown'])).toBe(true);
    expect(overflows(none, none)).toBe(false);
    expect(overflows([0.9], none)).toBe(false);
    // A figure that is left over of instances that are gone.
    expect(overflows([0.1, 0], [0.5])).toBe(true);
    expect(overflows([0.9], [0.1, 0])).toBe(false);
  });

  it('stays home where it would take something unknown to leave', () => {
    const dark: Load = [undefined, 'unknown'];
    for (const home of [dark, [undefined, 2]] as const)
      for (const other of [[0], dark, [undefined, 0]] as const) expect(overflows(home, other)).toBe(false);
    for (const home of [[0.9], [undefined, 0]] as const) expect(overflows(home, dark)).toBe(false);
    expect(overflows([0.9], [undefined, 2])).toBe(false);
    expect(overflows([0.9, 'unknown'], [0.1, 'unknown'])).toBe(true);
  });
});
