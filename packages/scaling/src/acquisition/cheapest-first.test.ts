import { acquisitionPolicyConformance, fakeAcquisition, type FakeWay } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createCheapestFirstAcquisition } from './cheapest-first.js';

describe('createCheapestFirstAcquisition', () => {
  for (const check of acquisitionPolicyConformance(createCheapestFirstAcquisition)) it(check.name, check.run);

  const choice = (...ways: readonly FakeWay[]) => createCheapestFirstAcquisition().choose(fakeAcquisition(ways), 0);

  it('resumes, reclaims, redeploys, and takes a new VM last, whatever they cost and how long they take', () => {
    const ways = (['new-vm', 'redeploy', 'reclaim', 'resume'] as const).map((kind, i) => ({
      kind,
      expectedDelayMs: i * 1_000,
      usdPerHour: i,
    }));
    for (let left = ways.length; left > 0; left--) expect(choice(...ways.slice(0, left))).toBe(left - 1);
  });

  it('takes the cheapest of a kind, then the quickest, then where the most are left, then the first', () => {
    expect(choice({ usdPerHour: 3, expectedDelayMs: 1 }, { usdPerHour: 2, expectedDelayMs: 9 })).toBe(1);
    expect(choice({ expectedDelayMs: 9, available: 5 }, { expectedDelayMs: 8, available: 1 })).toBe(1);
    expect(choice({ available: 2 }, { available: 4 }, { available: 4 }, { available: 3 })).toBe(1);
    expect(choice({}, {}, {})).toBe(0);
  });

  it('takes what is not known for the worst', () => {
    expect(choice({ usdPerHour: undefined }, { usdPerHour: 1e6 })).toBe(1);
    expect(choice({ expectedDelayMs: undefined }, { expectedDelayMs: 1e12 })).toBe(1);
    expect(choice({ available: undefined }, { available: 1 })).toBe(1);
    expect(choice({ usdPerHour: undefined }, { usdPerHour: undefined, available: 9 })).toBe(1);
  });
});
