import { fakeVictims, victimPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createLeastWorkLostVictim } from './least-work-lost.js';

describe('createLeastWorkLostVictim', () => {
  for (const check of victimPolicyConformance(createLeastWorkLostVictim)) it(check.name, check.run);

  const choice = (...instances: Parameters<typeof fakeVictims>[0]) =>
    createLeastWorkLostVictim().choose(fakeVictims(instances), 0);
  const coming = (sinceRequestedMs: number | undefined) => ({ state: 'provisioning' as const, sinceRequestedMs });

  it('gives up what is not ready yet before anything that is, the newest first', () => {
    expect(choice({ outstandingTokens: 0 }, coming(90_000), coming(60_000), coming(30_000))).toBe(3);
    expect(choice({ outstandingTokens: 0 }, coming(30_000), coming(60_000))).toBe(1);
  });

  it('takes the later of two that were asked for at one time', () => {
    expect(choice(coming(0), coming(0), coming(0))).toBe(2);
    expect(choice(coming(undefined), coming(undefined))).toBe(1);
    expect(choice(coming(5), coming(undefined))).toBe(0);
  });

  it('gives up the ready one with the least to do, the first of two that have as much', () => {
    const busy = (outstandingTokens: number | undefined) => ({ outstandingTokens });
    expect(choice(busy(300), busy(100), busy(200))).toBe(1);
    expect(choice(busy(100), busy(100), busy(100))).toBe(0);
    expect(choice(busy(undefined), busy(9_999), busy(undefined))).toBe(1);
    expect(choice(busy(undefined), busy(undefined))).toBe(0);
  });
});
