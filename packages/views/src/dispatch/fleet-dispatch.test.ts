import {
  type InstancePoolView,
  type InstanceRouter,
  modelId,
  type RegionId,
  regionId,
  type RegionRouter,
  type ReleasePolicy,
  type RequestView,
  WORKLOAD_TIERS,
  type WorkloadTier,
} from '@sageserve/core';
import { fakeRequest } from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFleetViews } from '../fleet-views.js';
import { createFleetDispatch } from './fleet-dispatch.js';

const REGIONS = ['eastus', 'westus'].map(regionId);
const MODELS = ['large', 'small'].map(modelId);
const INTERACTIVE = WORKLOAD_TIERS.slice(0, 2);

/** The first region in order of preference that hosts the request. */
const nearest: RegionRouter = {
  name: 'nearest',
  route(_request, regions) {
    for (let k = 0; k < regions.preferenceCount; k++)
      if (regions.hosts(regions.preferred(k))) return regions.preferred(k);
    return -1;
  },
};
/** An instance that holds fewer than two requests of 100 tokens. */
const roomy: InstanceRouter = {
  name: 'roomy',
  route: (_request, pool) => indexWhere(pool, (i) => pool.isReady(i) && pool.outstandingTokens(i)! < 200),
};
/** One at a time, while the pool has fewer than 200 tokens, and all that is due. */
const gentle: ReleasePolicy = {
  name: 'gentle',
  release: (held, pool, nowMs) => Math.max(held.countDueBy(nowMs), pool.queuedTokens! < 200 ? 1 : 0),
};
function indexWhere(pool: InstancePoolView, test: (i: number) => boolean): number {
  for (let i = 0; i < pool.count; i++) if (test(i)) return i;
  return -1;
}

interface Asked {
  view: RequestView;
  readonly allowed?: ReadonlySet<number> | undefined;
}
const poolOf = (region: RegionId, model: string, tiers: readonly WorkloadTier[] = WORKLOAD_TIERS) => ({
  key: `${region}/${model}${tiers.length < 3 ? '/fast' : ''}`,
  modelId: modelId(model),
  regionId: region,
  tiers,
});

/** Two regions of two models with one instance each; `broken` policies answer NaN. */
function fleet(pools = REGIONS.flatMap((region) => MODELS.map((model) => poolOf(region, model)))) {
  const views = createFleetViews({
    regions: REGIONS,
    networkRttMs: [
      [0, 60],
      [60, 0],
    ],
  });
  views.setPools(pools, 0);
  const setInstances = (key: string, ids: readonly string[], kvCapacityTokens = 10_000) =>
    views.setInstances(
      key,
      ids.map((id) => ({ instanceId: `${key}#${id}`, isReady: true, kvCapacityTokens })),
      0,
    );
  for (const { key } of pools) setInstances(key, ['0']);
  /** Requests that the routers were asked about, and pools that the release policy was. */
  const routed: number[] = [];
  const askedFor: string[] = [];
  const broken = { region: false, instance: false, release: false, overflow: false };
  const running = new Map<Asked, string>();
  const rejected: [Asked, string][] = [];
  const started: string[] = [];
  const breaches: string[] = [];
  /** What the host does as a request is started, one for each. */
  const onStart: (() => void)[] = [];
  const dispatch = createFleetDispatch<Asked>({
    views,
    policies: {
      regionRouter: {
        name: 'r',
        route(...given) {
          routed.push(given[0].requestId);
          return broken.region ? NaN : nearest.route(...given);
        },
      },
      instanceRouter: { name: 'i', route: (...given) => (broken.instance ? NaN : roomy.route(...given)) },
      release: {
        name: 'h',
        release: (...given) => {
          askedFor.push(given[1].key);
          return broken.release ? NaN : gentle.release(...given);
        },
      },
      overflow: {
        name: 'o',
        overflows: (_request, home, other) =>
          broken.overflow ? (NaN as never) : home.queuedTokens! >= 200 && other.queuedTokens! < 200,
      },
    },
    start(request, { instanceId }) {
      expect(running.has(request)).toBe(false);
      running.set(request, instanceId);
      onStart.shift()?.();
      started.push(`${request.view.requestId} ${instanceId}`);
    },
    reject(request, why, _nowMs, error) {
      rejected.push([request, why]);
      if (error !== undefined) breaches.push(error.message.replace(/: .*/s, ''));
    },
    breach: (error) => breaches.push(error.message.replace(/: .*/s, '')),
  });
  let made = 0;
  const ask = (fields: Partial<RequestView> = {}, allowed?: readonly number[], nowMs = 0): Asked => {
    const request = {
      view: fakeRequest({ requestId: made++, modelId: MODELS[0]!, promptTokens: 99, ...fields }),
      allowed: allowed === undefined ? undefined : new Set(allowed),
    };
    dispatch.arrive(request, nowMs);
    return request;
  };
  const end = (request: Asked, nowMs = 1) => {
    running.delete(request);
    return dispatch.ended(request, nowMs);
  };
  return {
    views,
    dispatch,
    setInstances,
    askedFor,
    routed,
    breaches,
    onStart,
    broken,
    running,
    rejected,
    started,
    ask,
    end,
  };
}
const mayWait = (deadlineAtMs: number, fields: Partial<RequestView> = {}) => ({
  tier: 'non-interactive' as const,
  deadlineAtMs,
  ...fields,
});

describe('the steps over views of a fleet', () => {
  it('give a request to an instance of its region, and the next in order when it has room', () => {
    const { ask, end, dispatch, started, views } = fleet();
    const [first] = Array.from({ length: 4 }, () => ask());
    expect(started).toEqual(['0 eastus/large#0', '1 eastus/large#0']);
    expect([dispatch.waitingCount('eastus/large'), views.inFlight]).toEqual([2, 2]);
    expect([end(first!), end(first!)]).toEqual([true, false]);
    expect(started.at(-1)).toBe('2 eastus/large#0');
    expect(dispatch.waitingCount('eastus/large')).toBe(1);
    expect(() => dispatch.arrive(first!, 2)).not.toThrow();
    expect(() => dispatch.arrive(first!, 2)).toThrow('request 0 is here already');
  });

  it('keep residency, and say why a request is not served', () => {
    const { ask, started, rejected, setInstances } = fleet();
    ask({}, [1]);
    ask({ modelId: modelId('none') });
    ask({}, []);
    setInstances('eastus/large', ['0'], 98);
    ask();
    setInstances('eastus/large', ['0', '1'], 98);
    setInstances('eastus/small', ['0'], 99);
    ask({ modelId: MODELS[1]! });
    expect(started).toEqual(['0 westus/large#0', '4 eastus/small#0']);
    expect(rejected.map(([{ view }, why]) => [view.requestId, why])).toEqual([
      [1, 'no-region'],
      [2, 'no-region'],
      [3, 'too-long'],
    ]);
  });

  it('give what the chosen instance could not hold to the least loaded that can', () => {
    const { ask, views, started } = fleet();
    views.setInstances(
      'eastus/large',
      [50, 10_000, 10_000].map((kvCapacityTokens, i) => ({ instanceId: `n${i}`, isReady: i < 3, kvCapacityTokens })),
      0,
    );
    views.begin('n1', 10, 0);
    ask();
    expect(started).toEqual(['0 n2']);
  });

  it('hold what may wait by deadline, and let it go as there is room, to where it may run', () => {
    const { ask, end, dispatch, started } = fleet();
    const busy = [ask(), ask(), ask({ originRegion: 1 }), ask({ originRegion: 1 })];
    ask(mayWait(9_000));
    ask(mayWait(5_000), [1]);
    ask(mayWait(7_000), [0]);
    expect([dispatch.heldCount(MODELS[0]!), dispatch.heldCount(MODELS[1]!)]).toEqual([3, 0]);
    end(busy[0]!);
    expect(started.slice(4)).toEqual(['6 eastus/large#0']);
    end(busy[2]!);
    expect(started.slice(5)).toEqual(['5 westus/large#0']);
    dispatch.tick(8_999);
    expect(dispatch.heldCount(MODELS[0]!)).toBe(1);
    // Due: it is let go, room or not, and waits for an instance.
    dispatch.tick(9_000);
    expect([dispatch.heldCount(MODELS[0]!), dispatch.waitingCount('eastus/large')]).toEqual([0, 1]);
  });

  it('pass a request on to the second pool of its region where the policy says so', () => {
    const { ask, started, dispatch, askedFor } = fleet([
      poolOf(REGIONS[0]!, 'large', INTERACTIVE),
      poolOf(REGIONS[0]!, 'large'),
    ]);
    for (let i = 0; i < 5; i++) ask();
    expect(started).toEqual(['0 eastus/large/fast#0', '1 eastus/large/fast#0', '2 eastus/large#0', '3 eastus/large#0']);
    expect(dispatch.waitingCount('eastus/large/fast')).toBe(1);
    ask(mayWait(9_000));
    expect(dispatch.heldCount(MODELS[0]!)).toBe(1);
    dispatch.tick(9_000);
    expect(dispatch.waitingCount('eastus/large')).toBe(1);
    // The pool that serves interactive requests only is not asked about others.
    expect(new Set(askedFor)).toEqual(new Set(['eastus/large']));
  });

  it('send what is let go to the region that has room first, and count it there', () => {
    const { ask, end, dispatch, started, views } = fleet();
    const busy = [ask(), ask(), ask({ originRegion: 1 }), ask({ originRegion: 1 })];
    ask(mayWait(9_000, { originRegion: 1 }));
    expect(dispatch.heldCount(MODELS[0]!)).toBe(1);
    end(busy[0]!);
    expect(started.at(-1)).toBe('4 eastus/large#0');
    const released = (key: string) => views.loadOf(key, 1).releasedSinceReading;
    expect([released('eastus/large'), released('westus/large')]).toEqual([1, 0]);
    dispatch.tick(1);
    expect(released('eastus/large')).toBe(1);
  });

  it('know nothing of a request that is not here', () => {
    const { dispatch } = fleet();
    const request = { view: fakeRequest() };
    expect([dispatch.ended(request, 0), dispatch.retry(request, 0), dispatch.leave(request, 0)]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('let a client leave from wherever its request is', () => {
    const { ask, dispatch, started, views } = fleet();
    const [running, , waiting, last] = Array.from({ length: 4 }, () => ask());
    const held = ask(mayWait(1e9));
    expect([dispatch.leave(waiting!, 1), dispatch.leave(held, 1), dispatch.leave(held, 1)]).toEqual([
      true,
      true,
      false,
    ]);
    expect([dispatch.waitingCount('eastus/large'), dispatch.heldCount(MODELS[0]!)]).toEqual([1, 0]);
    expect(dispatch.leave(running!, 1)).toBe(true);
    expect(started.at(-1)).toBe(`${last!.view.requestId} eastus/large#0`);
    expect(views.inFlight).toBe(2);
  });

  it('begin anew what has lost its instance or its pool, as what it is now', () => {
    const { ask, dispatch, running, started, setInstances, views } = fleet();
    const [lost] = [ask(), ask(), ask()];
    setInstances('eastus/large', []);
    running.delete(lost);
    lost.view = { ...lost.view, attempt: 1 };
    expect([dispatch.retry(lost, 1), dispatch.retry(lost, 1)]).toEqual([true, false]);
    expect(dispatch.waitingCount('eastus/large')).toBe(2);
    views.setPools([poolOf(REGIONS[1]!, 'large')], 2);
    dispatch.refresh(2);
    expect(started.slice(2)).toEqual(['2 westus/large#0', '0 westus/large#0']);
    expect(dispatch.waitingCount('eastus/large')).toBe(0);
  });

  it('look again at who waits once there are instances', () => {
    const { ask, dispatch, end, started, setInstances, routed, views } = fleet();
    setInstances('eastus/large', []);
    ask();
    const other = ask({ originRegion: 1 });
    expect([started, dispatch.waitingCount('eastus/large')]).toEqual([['1 westus/large#0'], 1]);
    setInstances('eastus/large', ['1']);
    dispatch.refresh(1);
    expect(started.slice(1)).toEqual(['0 eastus/large#1']);
    expect(routed).toEqual([0, 1]);
    // One whose pool has gone meanwhile ends all the same.
    views.setPools([poolOf(REGIONS[0]!, 'large')], 2);
    expect(end(other)).toBe(true);
  });

  it('end the request that a policy broke its contract over, by name, and go on with others', () => {
    const { ask, dispatch, end, broken, breaches, rejected, started, views } = fleet();
    const two = [ask(), ask()];
    const [waits, next] = [ask(), ask()];
    for (const at of [5_000, 6_000]) ask(mayWait(at), [0]);
    const mine = () => rejected.splice(0).map(([{ view }, why]) => `${view.requestId} ${why}`);
    broken.instance = true;
    ask({ originRegion: 1 });
    expect(mine()).toEqual(['6 breach']);
    end(two[0]!);
    expect(mine()).toEqual(['2 breach', '3 breach', '4 breach']);
    expect([waits, next].map((one) => dispatch.leave(one, 1))).toEqual([false, false]);
    broken.instance = false;
    broken.region = true;
    dispatch.tick(5_000);
    expect(mine()).toEqual(['5 breach']);
    broken.region = false;
    broken.release = true;
    // What is due goes all the same, and nothing else.
    for (const at of [8_000, 9_000]) ask(mayWait(at), [0], 5_000);
    dispatch.tick(8_000);
    expect([started.at(-1), dispatch.heldCount(MODELS[0]!), mine()]).toEqual(['7 eastus/large#0', 1, []]);
    expect(new Set(breaches.map((told) => told.replace(/NaN.*/, 'NaN')))).toEqual(
      new Set(
        ['instance router "i"', 'region router "r"', 'release policy "h"'].map((who) => `${who} answered with NaN`),
      ),
    );
    expect(views.inFlight).toBe(2);
    const pair = fleet([poolOf(REGIONS[0]!, 'large', INTERACTIVE), poolOf(REGIONS[0]!, 'large')]);
    pair.broken.overflow = true;
    pair.ask();
    expect(pair.started).toEqual(['0 eastus/large/fast#0']);
    expect(pair.breaches.join()).toMatch('overflow policy "o" answered with NaN where eastus/large/fast');
  });

  it('take what a policy throws for a breach, and say what it was', () => {
    const views = fleet().views;
    const heard: unknown[] = [];
    const dispatch = createFleetDispatch<Asked>({
      views,
      policies: {
        regionRouter: nearest,
        overflow: { name: 'o', overflows: () => false },
        instanceRouter: {
          name: 'i',
          route: () => {
            throw new RangeError('mine');
          },
        },
        release: gentle,
      },
      start: () => undefined,
      reject: (...given) => heard.push(given.slice(1)),
    });
    dispatch.arrive({ view: fakeRequest({ modelId: MODELS[0]! }) }, 7);
    expect(heard).toEqual([['breach', 7, new RangeError('mine')]]);
  });

  it('keep the order of those that wait, and do not bring back who has left', () => {
    const { ask, dispatch, broken, started, views, setInstances, rejected } = fleet();
    setInstances('eastus/large', []);
    const four = [ask(), ask(), ask(), ask()];
    broken.region = true;
    views.setPools([poolOf(REGIONS[1]!, 'large')], 1);
    dispatch.refresh(1);
    expect(rejected.length).toBe(4);
    expect(four.map((one) => dispatch.leave(one, 1))).toEqual([false, false, false, false]);
    expect(started).toEqual([]);
    const other = fleet();
    other.setInstances('eastus/large', []);
    const [, leaves] = [other.ask(), other.ask(), other.ask()];
    other.onStart.push(() => expect(other.dispatch.leave(leaves, 2)).toBe(true));
    other.views.setPools([poolOf(REGIONS[1]!, 'large')], 2);
    other.dispatch.refresh(2);
    expect(other.started).toEqual(['0 westus/large#0', '2 westus/large#0']);
  });

  it('route anew who waits for a pool that serves them no more', () => {
    const { ask, dispatch, started, views, setInstances } = fleet();
    setInstances('eastus/large', []);
    ask({}, [0]);
    ask({}, [1, 0]);
    expect(dispatch.waitingCount('eastus/large')).toBe(2);
    // The pool moves; the first may not follow it.
    views.setPools([{ ...poolOf(REGIONS[0]!, 'large'), regionId: REGIONS[1]! }, poolOf(REGIONS[0]!, 'small')], 1);
    setInstances('eastus/large', ['9']);
    dispatch.refresh(1);
    expect([started, dispatch.waitingCount('eastus/large')]).toEqual([['1 eastus/large#9'], 0]);
  });

  it('ask who waits once a request moves on or leaves', () => {
    const { ask, dispatch, running, setInstances, started } = fleet();
    const [first] = [ask(), ask(), ask()];
    setInstances('westus/large', []);
    running.delete(first);
    first.view = { ...first.view, originRegion: 1 };
    expect(dispatch.retry(first, 1)).toBe(true);
    expect([started.at(-1), dispatch.waitingCount('westus/large')]).toEqual(['2 eastus/large#0', 1]);
    const other = fleet();
    other.ask();
    const big = other.ask({ promptTokens: 150 });
    const bigger = other.ask();
    other.ask();
    expect([other.dispatch.waitingCount('eastus/large'), bigger.view.requestId]).toEqual([2, 2]);
    other.running.delete(big);
    other.dispatch.leave(big, 1);
    expect(other.started.at(-1)).toBe('2 eastus/large#0');
  });

  it('refuse what is no request', () => {
    const { ask } = fleet();
    expect(() => ask({ originRegion: 2 })).toThrow('request 0 is from region 2 of 2');
    expect(() => ask({ deadlineAtMs: NaN })).toThrow('request 1 has no deadline');
  });

  it('keep every request in one place until it ends once, whatever happens in whatever order', () => {
    const happening = fc.record({
      kind: fc.constantFrom('ask', 'ask', 'wait', 'end', 'end', 'retry', 'leave', 'tick', 'pods', 'pools', 'break'),
      pick: fc.nat(1_000),
      region: fc.nat(1),
      model: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
        const { ask, end, dispatch, broken, running, rejected, views, setInstances } = fleet();
        const here = new Set<Asked>();
        const all = REGIONS.flatMap((region) => MODELS.map((model) => poolOf(region, model)));
        for (const [at, { kind, pick, region, model }] of happenings.entries()) {
          const nowMs = 100 * at;
          const some = <T>(of: readonly T[]): T | undefined => of[pick % Math.max(1, of.length)];
          const fields = { originRegion: region, modelId: MODELS[model]!, arrivedAtMs: nowMs };
          const allowed = pick % 4 === 0 ? [pick % 3 === 0 ? 0 : 1] : undefined;
          if (kind === 'ask' || kind === 'wait')
            here.add(ask(kind === 'ask' ? fields : mayWait(nowMs + pick, fields), allowed, nowMs));
          else if (kind === 'end') {
            const one = some([...running.keys()]);
            if (one !== undefined) {
              here.delete(one);
              end(one, nowMs);
            }
          } else if (kind === 'retry') {
            const one = some([...running.keys()]);
            if (one !== undefined) {
              running.delete(one);
              dispatch.retry(one, nowMs);
            }
          } else if (kind === 'leave') {
            const one = some([...here]);
            if (one !== undefined) {
              running.delete(one);
              here.delete(one);
              dispatch.leave(one, nowMs);
            }
          } else if (kind === 'tick') dispatch.tick(nowMs);
          else if (kind === 'break') {
            const which = (['region', 'instance', 'release'] as const)[pick % 3]!;
            broken[which] = !broken[which];
          } else if (kind === 'pools') {
            views.setPools(
              all.filter((_, p) => (pick >> p) % 2 === 0),
              nowMs,
            );
            dispatch.refresh(nowMs);
          } else {
            const key = some(views.poolKeys);
            if (key !== undefined) setInstances(key, ['0', '1', '2'].slice(0, pick % 4));
            dispatch.refresh(nowMs);
          }
          for (const [one] of rejected.splice(0)) here.delete(one);
          const waiting = all.reduce((sum, { key }) => sum + dispatch.waitingCount(key), 0);
          const held = MODELS.reduce((sum, id) => sum + dispatch.heldCount(id), 0);
          expect(running.size + waiting + held).toBe(here.size);
        }
        // In better times all of them end.
        Object.assign(broken, { region: false, instance: false, release: false });
        views.setPools(all, 1e6);
        for (const { key } of all) setInstances(key, ['0']);
        for (let turn = 0; here.size > 0 && turn < 200; turn++) {
          dispatch.refresh(1e6);
          dispatch.tick(1e6);
          for (const one of [...running.keys()]) {
            here.delete(one);
            end(one, 1e6);
          }
          for (const [one] of rejected.splice(0)) here.delete(one);
        }
        expect([here.size, running.size, views.inFlight]).toEqual([0, 0, 0]);
      }),
    );
  });
});
