import { describe, expect, it } from 'vitest';
import { type FleetSnapshot, indexOfEndpoint } from './fleet.js';
import type { EndpointId } from './ids.js';

describe('indexOfEndpoint', () => {
  it('finds each endpoint from wherever it begins, and no other', () => {
    const names = ['a', 'b', 'c'] as EndpointId[];
    const fleet = { endpoints: names.map((endpointId) => ({ endpointId })) } as unknown as FleetSnapshot;
    for (let from = -1; from <= 5; from++) {
      expect(names.map((name) => indexOfEndpoint(fleet, name, from))).toEqual([0, 1, 2]);
      expect(indexOfEndpoint(fleet, 'd' as EndpointId, from)).toBe(-1);
    }
    expect(indexOfEndpoint({ takenAtMs: 0, endpoints: [] }, names[0]!)).toBe(-1);
  });

  it('begins with the first unless told otherwise', () => {
    const twice = { endpoints: [{ endpointId: 'a' }, { endpointId: 'a' }] } as unknown as FleetSnapshot;
    expect([indexOfEndpoint(twice, 'a' as EndpointId), indexOfEndpoint(twice, 'a' as EndpointId, 1)]).toEqual([0, 1]);
  });
});
