import {
  type BatchScheduler,
  createRng,
  type InstanceRouter,
  type RegionRouter,
  type ReleasePolicy,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';
import { fakeHeldQueue, fakeInstancePool, fakeLoad, fakeRegionPool, fakeRequest } from './fakes.js';
import { named } from './policy-cases.js';

const ROUNDS = 500;

/** Figures of which none is known, and none was ever read. */
const dark = <T extends object>(unknown: T): T & { readonly ageMs: number } => ({ ...unknown, ageMs: Infinity });

/** What every region router must do. */
export function regionRouterConformance(create: () => RegionRouter): ConformanceCase[] {
  return [
    named(create),
    {
      name: 'returns a region that hosts the model and that residency allows, or −1 where there is none',
      run() {
        const rng = createRng('region-router-conformance');
        const router = create();
        for (let round = 0; round < ROUNDS; round++) {
          const regions = Array.from({ length: 1 + Math.floor(rng.next() * 5) }, () => ({
            hosts: rng.next() < 0.7,
            allowed: rng.next() < 0.7,
            readyInstances: Math.floor(rng.next() * 4),
            kvCacheUtilization: rng.next() < 0.2 ? undefined : rng.next() * 1.2,
            queuedTokens: Math.floor(rng.next() * 10_000),
          }));
          const pool = fakeRegionPool(regions);
          const choice = router.route(
            fakeRequest({ requestId: round, originRegion: Math.floor(rng.next() * regions.length) }),
            pool,
            round * 1_000,
          );
          const possible = regions.some((r) => r.hosts && r.allowed);
          expect(Number.isInteger(choice), `region ${choice} is not a whole number`);
          expect(
            choice === -1 ? !possible : choice >= 0 && choice < regions.length,
            choice === -1 ? 'turned away a request that a region could serve' : `region ${choice} is outside the pool`,
          );
          if (choice !== -1)
            expect(regions[choice]!.hosts && regions[choice]!.allowed, `region ${choice} may not serve the request`);
        }
      },
    },
    {
      name: 'stays synchronous and does not throw when every region is overloaded',
      run() {
        const choice: unknown = create().route(
          fakeRequest(),
          fakeRegionPool([{ kvCacheUtilization: 1.5 }, { kvCacheUtilization: 2 }]),
          0,
        );
        expect(typeof choice === 'number' && choice >= 0, 'must choose a region whatever the load');
      },
    },
    {
      name: 'routes where nothing is known of any region',
      run() {
        const unknown = { readyInstances: undefined, kvCacheUtilization: undefined, queuedTokens: undefined };
        const choice: unknown = create().route(fakeRequest(), fakeRegionPool(Array(3).fill(dark(unknown))), 0);
        expect(typeof choice === 'number' && choice >= 0, 'turned a request away because nothing is known');
      },
    },
  ];
}

/** What every instance router must do. */
export function instanceRouterConformance(create: () => InstanceRouter): ConformanceCase[] {
  return [
    named(create),
    {
      name: 'returns a ready instance, or −1',
      run() {
        const rng = createRng('instance-router-conformance');
        const router = create();
        for (let round = 0; round < ROUNDS; round++) {
          const instances = Array.from({ length: Math.floor(rng.next() * 8) }, () => ({
            isReady: rng.next() < 0.6,
            kvCacheUtilization: rng.next(),
            queuedRequests: Math.floor(rng.next() * 10),
            outstandingTokens: Math.floor(rng.next() * 10_000),
          }));
          const choice = router.route(fakeRequest({ requestId: round }), fakeInstancePool(instances), round);
          expect(
            Number.isInteger(choice) && choice >= -1 && choice < instances.length,
            `instance ${choice} is outside the pool`,
          );
          if (choice !== -1) expect(instances[choice]!.isReady, `instance ${choice} is not ready`);
        }
      },
    },
    {
      name: 'uses the only ready instance when nothing is queued anywhere',
      run() {
        const choice = create().route(
          fakeRequest(),
          fakeInstancePool([{ isReady: false }, { isReady: true }, { isReady: false }]),
          0,
        );
        expect(choice === 1, `chose ${choice} where only instance 1 is ready and free`);
      },
    },
    {
      name: 'routes where nothing is known of any instance, and not always to the same',
      run() {
        const unknown = { kvCacheUtilization: undefined, queuedRequests: undefined, outstandingTokens: undefined };
        const router = create();
        const chosen = new Set<unknown>();
        for (let requestId = 0; requestId < 200; requestId++) {
          const pool = fakeInstancePool([
            ...Array<object>(4).fill(dark(unknown)),
            { ...dark(unknown), isReady: false },
          ]);
          const choice: unknown = router.route(fakeRequest({ requestId }), pool, requestId);
          expect(
            typeof choice === 'number' && choice >= 0 && choice < 4,
            `chose ${choice as string} of four that are ready`,
          );
          chosen.add(choice);
        }
        expect(chosen.size > 1, 'sent every request to one of four instances of which nothing is known');
      },
    },
  ];
}

/** What every batch scheduler must do. */
export function batchSchedulerConformance(create: () => BatchScheduler): ConformanceCase[] {
  return [
    named(create),
    {
      name: 'gives finite keys that depend on the request and the time alone',
      run() {
        const rng = createRng('batch-scheduler-conformance');
        const first = create();
        const second = create();
        for (let round = 0; round < ROUNDS; round++) {
          const arrivedAtMs = rng.next() * 1e9;
          const request = fakeRequest({
            tier: WORKLOAD_TIERS[Math.floor(rng.next() * 3)]!,
            arrivedAtMs,
            deadlineAtMs: arrivedAtMs + rng.next() * 1e8,
            promptTokens: 1 + Math.floor(rng.next() * 10_000),
          });
          const key = first.priority(request, arrivedAtMs);
          expect(Number.isFinite(key), `key ${key} is not finite`);
          expect(key === second.priority(request, arrivedAtMs), 'the same request got two different keys');
        }
      },
    },
    {
      name: 'serves equal requests in order of arrival, or at least not the later one first',
      run() {
        const scheduler = create();
        for (const tier of WORKLOAD_TIERS) {
          const early = scheduler.priority(fakeRequest({ tier, arrivedAtMs: 1_000, deadlineAtMs: 61_000 }), 1_000);
          const late = scheduler.priority(fakeRequest({ tier, arrivedAtMs: 2_000, deadlineAtMs: 62_000 }), 2_000);
          expect(early <= late, `${tier}: a later arrival with a later deadline comes first`);
        }
      },
    },
  ];
}

/**
 * What every release policy must do. `holdsNothing` for one that lets go of everything at once, and
 * so needs no reading of the load.
 */
export function releasePolicyConformance(
  create: () => ReleasePolicy,
  options: { readonly holdsNothing?: boolean } = {},
): ConformanceCase[] {
  return [
    named(create),
    ...(options.holdsNothing === true ? [] : [boundedByReading(create)]),
    {
      name: 'returns a whole number from 0 to the number held',
      run() {
        const rng = createRng('release-conformance');
        const policy = create();
        for (let round = 0; round < ROUNDS; round++) {
          const nowMs = rng.next() * 1e8;
          const deadlines = Array.from({ length: Math.floor(rng.next() * 6) }, () => nowMs + (rng.next() - 0.2) * 1e8);
          const load = fakeLoad({
            readyInstances: Math.floor(rng.next() * 3),
            kvCacheUtilization: rng.next() < 0.2 ? undefined : rng.next(),
          });
          const count = policy.release(fakeHeldQueue(deadlines), load, nowMs);
          expect(
            Number.isInteger(count) && count >= 0 && count <= deadlines.length,
            `released ${count} of ${deadlines.length}`,
          );
        }
      },
    },
    {
      name: 'lets a request go whose deadline has come, however full the endpoint is',
      run() {
        for (const kvCacheUtilization of [0.99, 5, undefined]) {
          const count = create().release(
            fakeHeldQueue([1_000]),
            fakeLoad({ kvCacheUtilization, readyInstances: kvCacheUtilization === undefined ? 0 : 2 }),
            1_000,
          );
          expect(count === 1, 'held back a request past its deadline: it would wait for ever');
        }
      },
    },
  ];
}

function boundedByReading(create: () => ReleasePolicy): ConformanceCase {
  return {
    name: 'lets a bounded number go by one reading of the load, however often it is asked',
    run() {
      const policy = create();
      let released = 0;
      for (let ask = 0; ask < 1_500; ask++) {
        const load = fakeLoad({ kvCacheUtilization: 0.1, ageMs: 15_000, releasedSinceReading: released });
        released += policy.release(fakeHeldQueue(Array<number>(3_000 - released).fill(1e9)), load, 0);
      }
      expect(released <= 100, `released ${released} to two instances by one reading`);
    },
  };
}
