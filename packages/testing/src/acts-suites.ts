import {
  type AcquisitionKind,
  acquisitionBreach,
  type AcquisitionPolicy,
  createRng,
  modelId,
  type Rng,
  victimBreach,
  type VictimPolicy,
} from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';
import { fakeAcquisition, fakeVictims } from './fakes.js';
import { named, remembered } from './policy-cases.js';

const ROUNDS = 500;
const KINDS: readonly AcquisitionKind[] = ['resume', 'reclaim', 'redeploy', 'new-vm'];

/** A value, or now and then that it is not known. */
const maybe = (rng: Rng, value: number): number | undefined => (rng.next() < 0.2 ? undefined : value);

/** Up to six candidates, the ready ones first; what is not known of each differs. */
function someVictims(rng: Rng): ReturnType<typeof fakeVictims> {
  const ready = Math.floor(rng.next() * 4);
  const coming = Math.floor(rng.next() * 3) + (ready === 0 ? 1 : 0);
  return fakeVictims([
    ...Array.from({ length: ready }, () => ({
      outstandingTokens: maybe(rng, Math.floor(rng.next() * 10_000)),
      runningRequests: maybe(rng, Math.floor(rng.next() * 50)),
      kvCacheUtilization: maybe(rng, rng.next() * 1.2),
      sinceRequestedMs: maybe(rng, rng.next() * 1e8),
      ageMs: rng.next() < 0.2 ? Infinity : rng.next() * 60_000,
    })),
    ...Array.from({ length: coming }, (_, i) => ({
      state: 'provisioning' as const,
      sinceRequestedMs: maybe(rng, (coming - i) * 60_000),
      untilReadyMs: maybe(rng, rng.next() * 1e6),
    })),
  ]);
}

/** Up to four ways; what is not known of each differs. */
function someWays(rng: Rng): ReturnType<typeof fakeAcquisition> {
  return fakeAcquisition(
    Array.from({ length: 1 + Math.floor(rng.next() * 4) }, () => {
      const kind = KINDS[Math.floor(rng.next() * KINDS.length)]!;
      return {
        kind,
        ...(kind === 'redeploy' ? { weightsOf: modelId('model-b') } : {}),
        available: maybe(rng, 1 + Math.floor(rng.next() * 5)),
        expectedDelayMs: maybe(rng, rng.next() * 1e6),
        usdPerHour: maybe(rng, rng.next() * 10),
      };
    }),
  );
}

/** What every victim policy must do. */
export function victimPolicyConformance(create: () => VictimPolicy): ConformanceCase[] {
  return [
    named(create),
    {
      name: 'returns one of the candidates at once, whatever their load',
      run() {
        const rng = createRng('victim-conformance');
        const policy = create();
        for (let round = 0; round < ROUNDS; round++) {
          const candidates = someVictims(rng);
          const broken = victimBreach(policy.choose(candidates, round * 1_000), candidates);
          expect(broken === undefined, broken ?? '');
        }
      },
    },
    {
      name: 'chooses where nothing is known of any candidate',
      run() {
        for (const state of ['ready', 'provisioning'] as const) {
          const unknown = {
            state,
            outstandingTokens: undefined,
            runningRequests: undefined,
            kvCacheUtilization: undefined,
            sinceRequestedMs: undefined,
            untilReadyMs: undefined,
            ageMs: Infinity,
          };
          const candidates = fakeVictims([unknown, unknown, unknown]);
          const broken = victimBreach(create().choose(candidates, 0), candidates);
          expect(broken === undefined, `${broken}, of which nothing is known`);
        }
      },
    },
    remembered(create, someVictims, (policy, candidates, nowMs) => policy.choose(candidates, nowMs)),
  ];
}

/** What every acquisition policy must do. */
export function acquisitionPolicyConformance(create: () => AcquisitionPolicy): ConformanceCase[] {
  return [
    named(create),
    {
      name: 'returns one of the ways at once, or −1',
      run() {
        const rng = createRng('acquisition-conformance');
        const policy = create();
        for (let round = 0; round < ROUNDS; round++) {
          const options = someWays(rng);
          const broken = acquisitionBreach(policy.choose(options, round * 1_000), options);
          expect(broken === undefined, broken ?? '');
        }
      },
    },
    {
      name: 'answers where nothing is known of any way',
      run() {
        const unknown = {
          weightsOf: undefined,
          available: undefined,
          expectedDelayMs: undefined,
          usdPerHour: undefined,
        };
        const options = fakeAcquisition(KINDS.map((kind) => ({ kind, ...unknown })));
        const broken = acquisitionBreach(create().choose(options, 0), options);
        expect(broken === undefined, `${broken}, of which nothing is known`);
      },
    },
    remembered(create, someWays, (policy, options, nowMs) => policy.choose(options, nowMs)),
  ];
}
