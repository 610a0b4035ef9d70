import { createRng, type EndpointLoadView, overflowBreach, type OverflowPolicy, type Rng } from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';
import { fakeLoad, fakeRequest } from './fakes.js';
import { named, remembered } from './policy-cases.js';

const ROUNDS = 500;
const UNKNOWN = { kvCacheUtilization: undefined, queuedTokens: undefined, ageMs: Infinity };

/** Some load of a pool, from none to more than it holds; what is known of it differs. */
function someLoad(rng: Rng, key: string): EndpointLoadView {
  const readyInstances = Math.floor(rng.next() * 4);
  if (rng.next() < 0.2) return fakeLoad({ key, ...UNKNOWN, readyInstances: undefined });
  if (readyInstances === 0 || rng.next() < 0.2) return fakeLoad({ key, ...UNKNOWN, readyInstances });
  return fakeLoad({
    key,
    readyInstances,
    kvCacheUtilization: rng.next() * 1.2,
    queuedTokens: Math.floor(rng.next() * 10_000),
    ageMs: rng.next() * 60_000,
  });
}

const someLoads = (rng: Rng): readonly [home: EndpointLoadView, other: EndpointLoadView] => [
  someLoad(rng, 'pool-a'),
  someLoad(rng, 'pool-b'),
];

/** What every overflow policy must do. */
export function overflowPolicyConformance(create: () => OverflowPolicy): ConformanceCase[] {
  return [
    named(create),
    {
      name: 'answers at once with true or false, whatever the load',
      run() {
        const rng = createRng('overflow-conformance');
        const policy = create();
        for (let round = 0; round < ROUNDS; round++) {
          const [home, other] = someLoads(rng);
          const answer = policy.overflows(fakeRequest({ requestId: round }), home, other, round * 1_000);
          const broken = overflowBreach(answer, home, other);
          expect(broken === undefined, broken ?? '');
        }
      },
    },
    {
      name: 'keeps a request at home where nothing is known of either pool',
      run() {
        for (const readyInstances of [2, undefined]) {
          const [home, other] = ['pool-a', 'pool-b'].map((key) => fakeLoad({ key, ...UNKNOWN, readyInstances }));
          const answer = create().overflows(fakeRequest(), home!, other!, 0);
          expect(!answer, 'left home, and nothing is known');
        }
      },
    },
    {
      name: 'keeps a request at home where nothing is known of the other pool',
      run() {
        const home = fakeLoad({ kvCacheUtilization: 1 });
        const other = fakeLoad({ key: 'pool-b', ...UNKNOWN, readyInstances: undefined });
        expect(!create().overflows(fakeRequest(), home, other, 0), 'left home for what is not known');
      },
    },
    remembered(create, someLoads, (policy, [home, other], nowMs) =>
      policy.overflows(fakeRequest(), home, other, nowMs),
    ),
  ];
}
