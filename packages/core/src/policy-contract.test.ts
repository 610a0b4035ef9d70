import { describe, expect, it } from 'vitest';
import type { AcquisitionView } from './acquisition.js';
import type { FleetSnapshot } from './fleet.js';
import type { EndpointId } from './ids.js';
import { acquisitionBreach, answered, overflowBreach, scalingBreach, victimBreach } from './policy-contract.js';
import type { VictimView } from './victim.js';

const fleet = {
  endpoints: ['a', 'b'].map((endpointId) => ({
    endpointId: endpointId as EndpointId,
    minInstances: 2,
    maxInstances: 5,
  })),
} as unknown as FleetSnapshot;

describe('scalingBreach', () => {
  it('says how decisions break the contract, and nothing of those that keep it', () => {
    const one = { endpointId: 'a', targetInstances: 3, reason: 'x' };
    const of = (...decisions: unknown[]) => scalingBreach(decisions, fleet);
    expect([
      of(),
      of(one),
      of(one, { ...one, endpointId: 'b' }),
      of({ ...one, targetInstances: 2 }),
      of({ ...one, targetInstances: 5 }),
    ]).toEqual(Array(5).fill(undefined));
    expect(scalingBreach(undefined, fleet)).toBe('answered with nothing');
    expect(scalingBreach(Promise.resolve([]), fleet)).toBe('answered with a promise, and it must answer at once');
    expect(of(null)).toBe('decided null');
    expect(of({ ...one, endpointId: 'c' })).toBe('decided for the text "c", which is no endpoint of the fleet');
    expect(of(one, one)).toBe('decided twice for a');
    for (const wrong of [1, 6, NaN, 2.5, '3', undefined, 1_000])
      expect(of({ ...one, targetInstances: wrong })).toBe(
        `wants ${answered(wrong)} as the number of instances of a, which has from 2 to 5`,
      );
    expect(of({ ...one, reason: '' })).toBe('gives no reason for a');
    expect(of({ ...one, reason: undefined })).toBe('gives no reason for a');
  });

  it('finds what is decided twice, in whatever order', () => {
    const breachOf = (...ids: string[]) =>
      scalingBreach(
        ids.map((endpointId) => ({ endpointId, targetInstances: 3, reason: 'x' })),
        { ...fleet, endpoints: [...fleet.endpoints, { ...fleet.endpoints[0]!, endpointId: 'c' as EndpointId }] },
      );
    expect([
      breachOf('a', 'b', 'c'),
      breachOf('c', 'b', 'a'),
      breachOf('b', 'c', 'a'),
      breachOf('c', 'a', 'b'),
    ]).toEqual(Array(4).fill(undefined));
    expect([breachOf('a', 'b', 'a'), breachOf('c', 'a', 'a'), breachOf('c', 'a', 'b', 'a')]).toEqual(
      Array(3).fill('decided twice for a'),
    );
    expect(breachOf('b', 'a', 'c', 'b')).toBe('decided twice for b');
  });

  it('has words for every kind of answer', () => {
    expect([undefined, null, NaN, 'x'.repeat(100), [], {}, () => 1, { then: () => undefined }].map(answered)).toEqual([
      'nothing',
      'null',
      'NaN',
      `the text "${'x'.repeat(40)}"`,
      'a list',
      'a value of type object',
      'a value of type function',
      'a promise, and it must answer at once',
    ]);
  });
});

describe('victimBreach and acquisitionBreach', () => {
  it('take an index, −1 for none where there may be none, and nothing else', () => {
    const view = { endpointId: 'a', count: 3 } as unknown as VictimView & AcquisitionView;
    for (const choice of [0, 1, 2])
      expect([victimBreach(choice, view), acquisitionBreach(choice, view)]).toEqual([undefined, undefined]);
    expect(acquisitionBreach(-1, view)).toBeUndefined();
    expect(victimBreach(-1, view)).toBe('answered with -1 where a has 3 to choose from');
    for (const choice of [3, -2, 0.5, NaN, '0', undefined, Promise.resolve(0)]) {
      expect(victimBreach(choice, view)).toBe(`answered with ${answered(choice)} where a has 3 to choose from`);
      expect(acquisitionBreach(choice, view)).toBe(`answered with ${answered(choice)} where a has 3 to choose from`);
    }
  });
});

describe('overflowBreach', () => {
  it('takes true, false, and nothing else', () => {
    const [home, other] = [{ key: 'own' }, { key: 'mixed' }];
    expect([true, false].map((answer) => overflowBreach(answer, home, other))).toEqual([undefined, undefined]);
    for (const answer of [0, 1, NaN, 'true', null, undefined, Promise.resolve(true)])
      expect(overflowBreach(answer, home, other)).toBe(
        `answered with ${answered(answer)} where own may pass a request on to mixed`,
      );
  });
});
