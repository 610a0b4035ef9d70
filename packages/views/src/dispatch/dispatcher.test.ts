import { modelId, PolicyContractError } from '@sageserve/core';
import {
  type FakeInstance,
  fakeHeldQueue,
  fakeInstancePool,
  fakeLoad,
  fakeRegionPool,
  fakeRequest,
} from '@sageserve/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DispatchHost, DispatchPolicies } from './dispatch-host.js';
import { Dispatcher } from './dispatcher.js';

/** A pool for each of two regions, `spare` beside the first; requests are their names. */
const POOLS = ['p0', 'p1'];
let heard: string[];
let held: string[];
let due: number;
let waiting: Record<string, string[]>;
let closed: Set<string>;
let holders: readonly string[];
let otherPool: string | undefined;
let tokens: number;
let instances: readonly FakeInstance[];
let answers: {
  region: (request: string) => number;
  overflow: unknown;
  instance: (request: string) => number;
  release: number;
};
let asked: string;
let dispatcher: Dispatcher<string, string>;
/** How late a request reaches a region: at once, or when the test says so. */
let isFar: boolean;
/** Whether the host can't go on when a policy breaks its contract. */
let isStrict: boolean;

const host: DispatchHost<string, string> = {
  pools: POOLS,
  request: (request) => {
    asked = request;
    return fakeRequest({ modelId: modelId(request) });
  },
  mayWait: (request) => request.startsWith('w'),
  tokensNeeded: () => tokens,
  regions: (_request, from) => {
    if (from !== undefined) heard.push(`from ${from}`);
    return fakeRegionPool([{}, {}, { hosts: false }, { allowed: false }]);
  },
  otherPool: () => otherPool,
  isOpen: (pool) => !closed.has(pool),
  instances: () => fakeInstancePool(instances),
  load: (pool) => ({ ...fakeLoad(), key: pool }),
  holders: () => holders,
  hold: (request) => held.push(request),
  heldCount: () => held.length,
  held: () => ({ ...fakeHeldQueue([]), count: held.length, countDueBy: () => due }),
  takeHeld: () => held.shift(),
  firstWaiting: (pool) => waiting[pool]?.[0],
  wait: (request, pool) => (waiting[pool] ??= []).push(request),
  stopWaiting: (pool) => waiting[pool]!.shift(),
  send: (request, region, nowMs) => {
    heard.push(`${request} to ${region}`);
    if (!isFar) dispatcher.reach(request, POOLS[region]!, nowMs);
  },
  reached: (request, pool) => heard.push(`${request} at ${pool}`),
  assign: (request, pool, instance) => heard.push(`${request} on ${pool}/${instance}`),
  released: (pool, count) => heard.push(`${count} for ${pool}`),
  restart: (request) => heard.push(`${request} anew`),
  reject: (request, why) => heard.push(`${request} ${why}`),
  breach(error, request) {
    if (isStrict) throw error;
    heard.push(`${request ?? 'nobody'} ended by ${error.message.split(' answered')[0]}`);
  },
};
const policies: DispatchPolicies = {
  regionRouter: { name: 'r', route: () => answers.region(asked) },
  overflow: { name: 'o', overflows: () => answers.overflow as boolean },
  instanceRouter: { name: 'i', route: () => answers.instance(asked) },
  release: {
    name: 'h',
    release: (_held, pool) => {
      heard.push(`asked for ${pool.key}`);
      return answers.release;
    },
  },
};

beforeEach(() => {
  heard = [];
  held = [];
  due = 0;
  waiting = {};
  closed = new Set();
  holders = POOLS;
  otherPool = undefined;
  tokens = 10;
  instances = [{}, {}];
  isFar = false;
  isStrict = true;
  answers = { region: () => 0, overflow: false, instance: () => 1, release: 0 };
  dispatcher = new Dispatcher(host, policies);
});

describe('the steps', () => {
  it('go from arrival to an instance', () => {
    dispatcher.arrive('a', 0);
    expect(heard).toEqual(['a to 0', 'a at p0', 'a on p0/1']);
  });

  it('let nobody overtake those that wait, and go on with them as long as there is room', () => {
    waiting = { p0: ['x', 'y', 'z'] };
    dispatcher.arrive('a', 0);
    expect([heard, waiting['p0']]).toEqual([
      ['a to 0', 'a at p0'],
      ['x', 'y', 'z', 'a'],
    ]);
    answers.instance = (request) => (request === 'z' ? -1 : 0);
    heard = [];
    dispatcher.drain('p0', 0);
    expect([heard, waiting['p0']]).toEqual([
      ['x on p0/0', 'y on p0/0'],
      ['z', 'a'],
    ]);
  });

  it('hold what may wait, and ask its pools in its order while it is held', () => {
    holders = ['p1', 'p0'];
    dispatcher.arrive('w1', 0);
    expect([heard, held]).toEqual([['asked for p1', 'asked for p0'], ['w1']]);
    heard = [];
    answers.release = 1;
    dispatcher.arrive('w2', 0);
    expect([heard, held]).toEqual([
      [
        ...['asked for p1', '1 for p1', 'from p1', 'w1 to 0', 'w1 at p0', 'w1 on p0/1'],
        ...['asked for p0', '1 for p0', 'from p0', 'w2 to 0', 'w2 at p0', 'w2 on p0/1'],
      ],
      [],
    ]);
    heard = [];
    dispatcher.arrive('w3', 0);
    expect(heard).not.toContain('asked for p0');
    holders = [];
    heard = [];
    dispatcher.arrive('w4', 0);
    expect(heard).toEqual(['w4 to 0', 'w4 at p0', 'w4 on p0/1']);
  });

  it('ask once for each that is done, while some are held', () => {
    held = ['w1', 'w2', 'w3'];
    answers.release = 1;
    dispatcher.completed('p1', 2, 0);
    expect([heard.filter((one) => one === 'asked for p1').length, held]).toEqual([2, ['w3']]);
    heard = [];
    dispatcher.completed('p1', 5, 0);
    expect(heard.filter((one) => one === 'asked for p1').length).toBe(1);
    waiting = { p1: ['x'] };
    heard = [];
    dispatcher.completed('p1', 1, 0);
    expect(heard).toEqual(['x on p1/1']);
  });

  it('ask of every pool, while some are held, and count only what is let go', () => {
    dispatcher.releaseAll(0);
    expect(heard).toEqual([]);
    held = ['w1'];
    dispatcher.releaseAll(0);
    expect(heard).toEqual(['asked for p0', 'asked for p1']);
    answers.release = 3;
    heard = [];
    dispatcher.release('p1', 0);
    expect(heard.slice(0, 3)).toEqual(['asked for p1', '1 for p1', 'from p1']);
    expect(held).toEqual([]);
  });

  it('ask nothing of a pool whose region is gone, and begin anew what reaches it', () => {
    closed = new Set(['p0']);
    held = ['w1'];
    dispatcher.release('p0', 0);
    expect([heard, held]).toEqual([[], ['w1']]);
    isFar = true;
    dispatcher.arrive('a', 0);
    answers.region = () => 1;
    isFar = false;
    dispatcher.reach('a', 'p0', 1);
    expect(heard).toEqual(['a to 0', 'a anew', 'a to 1', 'a at p1', 'a on p1/1']);
    heard = [];
    dispatcher.lost(['b', 'w2'], 2);
    expect(heard.slice(0, 5)).toEqual(['b anew', 'b to 1', 'b at p1', 'b on p1/1', 'w2 anew']);
    expect(held).toEqual(['w1', 'w2']);
  });

  it('go to the second pool where the policy says so', () => {
    otherPool = 'spare';
    dispatcher.arrive('a', 0);
    answers.overflow = true;
    dispatcher.arrive('b', 0);
    expect(heard.filter((one) => one.includes(' at '))).toEqual(['a at p0', 'b at spare']);
  });

  it('give what is too long for the instance chosen to the least loaded that can hold it', () => {
    const sizes = (...of: readonly (readonly [kv: number, outstanding?: number, isReady?: boolean])[]) => {
      instances = of.map(([kvCapacityTokens, outstandingTokens, isReady = true]) => ({
        kvCapacityTokens,
        outstandingTokens,
        isReady,
      }));
      heard = [];
      answers.instance = () => 0;
      dispatcher.arrive('a', 0);
      return heard.at(-1);
    };
    tokens = 100;
    expect(sizes([100, 9], [200, 1])).toBe('a on p0/0');
    expect(sizes([99, 1], [100, 7], [100, 5], [100, 5])).toBe('a on p0/2');
    expect(sizes([99, 1], [100], [100, 500], [100])).toBe('a on p0/2');
    expect(sizes([99, 1], [100], [100])).toBe('a on p0/1');
    expect(sizes([99, 1], [99, 1], [200, 9], [200, 1, false])).toBe('a on p0/2');
    expect(sizes([99], [99], [200, 1, false])).toBe('a too-long');
    waiting = { p0: ['x'] };
    instances = [{ kvCapacityTokens: 99 }];
    heard = [];
    dispatcher.drain('p0', 0);
    expect([heard, waiting['p0']]).toEqual([['x too-long'], []]);
  });

  it('hold every policy to its contract', () => {
    const refused = (act: () => void): unknown => {
      try {
        act();
      } catch (error) {
        expect(error).toBeInstanceOf(PolicyContractError);
        return (error as Error).message.replace(/: .*/s, '');
      }
      return undefined;
    };
    const arrive = () => dispatcher.arrive('a', 0);
    for (const wrong of [-2, 4, 0.5, NaN, undefined])
      expect(refused(() => ((answers.region = () => wrong as number), arrive()))).toMatch(
        `region router "r" answered with ${wrong === undefined ? 'nothing' : wrong}`,
      );
    for (const wrong of [2, 3])
      expect(refused(() => ((answers.region = () => wrong), arrive()))).toMatch(`"r" chose region region-${wrong}`);
    answers.region = () => -1;
    arrive();
    expect(heard.at(-1)).toBe('a no-region');
    answers.region = () => 0;
    for (const wrong of [-2, 2, 0.5, NaN, '1'])
      expect(refused(() => ((answers.instance = () => wrong as number), arrive()))).toMatch('instance router "i"');
    instances = [{}, { isReady: false }];
    expect(refused(() => ((answers.instance = () => 1), arrive()))).toMatch(
      'instance router "i" answered with 1 where there are 2 instances',
    );
    expect(heard.some((one) => one.includes(' on '))).toBe(false);
    for (const wrong of [-1, 0.5, NaN, Infinity])
      expect(refused(() => ((answers.release = wrong), dispatcher.release('p0', 0)))).toMatch(
        `release policy "h" answered with ${wrong}`,
      );
    otherPool = 'spare';
    answers.overflow = 1;
    expect(refused(arrive)).toMatch('overflow policy "o" answered with 1');
  });

  it('go on with others where a policy breaks its contract', () => {
    isStrict = false;
    held = ['w1', 'w2', 'w3'];
    answers.release = 5;
    answers.region = (request) => (request === 'w2' ? NaN : 0);
    dispatcher.release('p0', 0);
    expect(heard.filter((one) => !one.startsWith('from'))).toEqual([
      ...['asked for p0', '3 for p0', 'w1 to 0', 'w1 at p0', 'w1 on p0/1'],
      ...['w2 ended by region router "r"', 'w3 to 0', 'w3 at p0', 'w3 on p0/1'],
    ]);
    waiting = { p0: ['x', 'y'] };
    answers.instance = (request) => (request === 'x' ? NaN : 0);
    heard = [];
    dispatcher.drain('p0', 0);
    expect([heard, waiting['p0']]).toEqual([['x ended by instance router "i"', 'y on p0/0'], []]);
    // In the place of a release policy: what is due.
    answers.release = NaN;
    held = ['w4', 'w5'];
    due = 1;
    heard = [];
    dispatcher.release('p0', 0);
    expect([heard.slice(0, 3), held]).toEqual([
      ['asked for p0', 'nobody ended by release policy "h"', '1 for p0'],
      ['w5'],
    ]);
    otherPool = 'spare';
    answers.overflow = NaN;
    heard = [];
    dispatcher.arrive('a', 0);
    expect(heard).toEqual(['a to 0', 'nobody ended by overflow policy "o"', 'a at p0', 'a on p0/0']);
  });
});
