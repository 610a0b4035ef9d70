import { ConfigError, type ReleasePolicy } from '@sageserve/core';
import { fakeHeldQueue, fakeLoad } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createHeadroomRelease } from './headroom.js';
import { createUtilizationRelease } from './utilization.js';

type Options = Readonly<Record<string, number>>;
const CASES: readonly (readonly [
  string,
  (options: Options) => ReleasePolicy,
  string,
  readonly number[],
  readonly number[],
])[] = [
  ['headroom', createHeadroomRelease, 'kvUnder', [0, 1], [-0.01, 1.01, NaN]],
  ['headroom', createHeadroomRelease, 'queuedTokensUnder', [0, 1], [-1, NaN]],
  ['headroom', createHeadroomRelease, 'atOncePerInstance', [0.01], [0, -1, NaN]],
  ['headroom', createHeadroomRelease, 'slackMs', [0], [-1, NaN]],
  ['utilization', createUtilizationRelease, 'oneUnder', [0.5, 1], [0.49, -1, 1.01, NaN]],
  ['utilization', createUtilizationRelease, 'twoUnder', [0, 0.6], [-0.01, 0.61, NaN]],
  ['utilization', createUtilizationRelease, 'slackMs', [0], [-1, NaN]],
];

describe('options of release policies', () => {
  it.each(CASES)('%s: %s', (_, create, name, fine, wrong) => {
    for (const value of fine) expect(() => create({ [name]: value }), `${name} ${value}`).not.toThrow();
    for (const value of wrong) expect(() => create({ [name]: value }), `${name} ${value}`).toThrow(ConfigError);
  });

  it('that hang together are refused by the right name', () => {
    expect(() => createUtilizationRelease({ oneUnder: 0, twoUnder: 0 })).not.toThrow();
    expect(() => createUtilizationRelease({ oneUnder: 2 })).toThrow('oneUnder: must be from 0 to 1, not 2');
    expect(() => createUtilizationRelease({ oneUnder: -1, twoUnder: -1 })).toThrow('oneUnder: ');
  });
});

describe.each([
  ['headroom', createHeadroomRelease],
  ['utilization', createUtilizationRelease],
] as const)('%s', (_, create) => {
  const hour = 3_600_000;
  const released = (deadlines: readonly number[], load: Parameters<typeof fakeLoad>[0], nowMs = 0) =>
    create().release(fakeHeldQueue(deadlines), fakeLoad(load), nowMs);

  it('gives nothing to an endpoint without an instance but what is due, whatever its last reading was', () => {
    expect(released([9 * hour], { readyInstances: 0, kvCacheUtilization: 0 })).toBe(0);
    expect(released([hour], { readyInstances: 0, kvCacheUtilization: 0 })).toBe(1);
    expect(released([], { kvCacheUtilization: 0 })).toBe(0);
  });

  it('takes what is due within its slack from now, not from the beginning', () => {
    const full = { kvCacheUtilization: 1 };
    expect([
      released([3 * hour, 4 * hour], full, 2 * hour),
      released([3 * hour + 1], full, 2 * hour),
      released([3 * hour], full, 4 * hour),
    ]).toEqual([1, 0, 1]);
  });
});
