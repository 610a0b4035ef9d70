import {
  type Actuator,
  type EndpointSnapshot,
  type Lease,
  modelId,
  PlacementGrid,
  regionId,
  SageServeError,
  type ScalingPolicy,
  type StateStore,
  type TelemetrySource,
} from '@sageserve/core';
import { createVirtualClock, fakeEndpoint, fakeEndpoints, fakeFleet } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';
import { createControlLoop } from './control-loop.js';
import type { ControlLoopOptions } from './control-loop-options.js';
import type { JournalEntry } from './journal.js';
import { runControlLoop } from './live-host.js';
import type { PlanningOptions } from './planning-options.js';

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Two models in two regions on two SKUs, which do as they are told. */
function fleetOf(counts = new Map<string, number>()) {
  const applied: [number, string, number][] = [];
  let nowMs = 0;
  const endpoints = (): EndpointSnapshot[] =>
    fakeEndpoints().map((one) => ({ ...one, readyInstances: counts.get(one.endpointId) ?? 4 }));
  const telemetry: TelemetrySource = {
    snapshot: () => fakeFleet(endpoints(), nowMs),
    demand: (keys, _since, stepMs) =>
      keys.map((key) => ({
        key,
        startMs: nowMs - 6 * stepMs,
        stepMs,
        promptTokensPerS: new Float64Array(6).fill(5),
        outputTokensPerS: new Float64Array(6).fill(1),
        requestsPerS: new Float64Array(6).fill(1),
      })),
  };
  const actuator: Actuator = {
    apply: (decisions) =>
      decisions.map(({ endpointId, targetInstances }) => {
        applied.push([nowMs, endpointId, targetInstances]);
        const status = counts.get(endpointId) === targetInstances ? ('unchanged' as const) : ('applied' as const);
        counts.set(endpointId, targetInstances);
        return { endpointId, status, reachedInstances: targetInstances, detail: undefined };
      }),
  };
  return { telemetry, actuator, applied, counts, at: (ms: number) => (nowMs = ms) };
}

const journalOf = () => {
  const entries: JournalEntry[] = [];
  return { entries, append: (entry: JournalEntry) => void entries.push(entry) };
};

/** All endpoints to one count. */
const all = (count: (nowMs: number) => number | undefined): ScalingPolicy => ({
  name: 'all',
  decide: (fleet, _plan, nowMs) => {
    const targetInstances = count(nowMs);
    return targetInstances === undefined
      ? []
      : fleet.endpoints.map(({ endpointId }) => ({ endpointId, targetInstances, reason: 'script' }));
  },
});

const planningOf = (options: Partial<PlanningOptions> = {}): PlanningOptions => {
  const endpoints = fakeEndpoints();
  const grid = (value: number) => new PlacementGrid(2, 2, 2, new Float64Array(8).fill(value));
  return {
    forecaster: {
      name: 'flat',
      minHistorySteps: 1,
      forecast(history, horizonSteps, given) {
        const mean = new Float64Array(horizonSteps).fill(5);
        const column = { mean, quantiles: (given?.quantileLevels ?? []).map((level) => ({ level, values: mean })) };
        const { startMs, stepMs, promptTokensPerS } = history;
        return {
          ...column,
          startMs: startMs + promptTokensPerS.length * stepMs,
          stepMs,
          promptTokensPerS: column,
          outputTokensPerS: column,
          method: 'flat',
        };
      },
    },
    optimizer: {
      name: 'fixed',
      solve: () => ({ status: 'optimal', target: grid(6), objectiveUsd: 0, relativeGap: 0, solver: 'fixed' }),
    },
    problem: () => ({
      models: [...new Set(endpoints.map((one) => one.modelId))],
      regions: [...new Set(endpoints.map((one) => one.regionId))],
      skus: [...new Set(endpoints.map((one) => one.skuId))],
      current: grid(4),
      minInstances: grid(0),
      maxInstances: grid(10),
      tokensPerSPerInstance: new PlacementGrid(2, 1, 2, new Float64Array(4).fill(1)),
      gpusPerInstance: new PlacementGrid(2, 1, 2, new Float64Array(4).fill(1)),
      gpuCapacity: new PlacementGrid(1, 2, 2, new Float64Array(4).fill(100)),
      usdPerInstanceHour: new PlacementGrid(2, 1, 2, new Float64Array(4).fill(1)),
      startUsd: new PlacementGrid(2, 1, 2),
      demandTokensPerS: [new PlacementGrid(2, 2, 1)],
      localShare: 1,
    }),
    ...options,
  };
};

const never = <T>() => new Promise<T>(() => undefined);
/** Lets everything that waits for nothing have its turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a plan is made beside the ticks', () => {
  const onPlan = (plan: Parameters<NonNullable<ControlLoopOptions['onPlan']>>[0]) => plan?.target.at(0, 0, 0);

  it('so that a query for demand that hangs holds up no reaction, and is given up after a while', async () => {
    const fleet = fleetOf();
    let asked = 0;
    const signals: (AbortSignal | undefined)[] = [];
    const plans: unknown[] = [];
    const loop = createControlLoop({
      telemetry: {
        ...fleet.telemetry,
        demand: (keys, since, step, options) => {
          signals.push(options?.signal);
          return asked++ === 0 ? never() : fleet.telemetry.demand(keys, since, step);
        },
      },
      actuator: fleet.actuator,
      scalingPolicy: all((nowMs) => (nowMs === 0 ? 5 : 6)),
      planning: planningOf(),
      onPlan: (plan) => plans.push(onPlan(plan)),
    });
    const end = new AbortController();
    const clock = createVirtualClock();
    const running = runControlLoop(loop, clock, { signal: end.signal });
    await clock.advanceMs(0);
    fleet.at(SECOND);
    await clock.advanceMs(SECOND);
    expect(fleet.applied.map(([at, , count]) => [at, count]).slice(0, 9)).toEqual([
      ...Array<unknown>(8).fill([0, 5]),
      [SECOND, 6],
    ]);
    fleet.at(MINUTE + 2 * SECOND);
    for (let s = 0; s < 62; s++) await clock.advanceMs(SECOND);
    expect([asked, signals[0]!.aborted, (signals[0]!.reason as Error).message]).toEqual([
      1,
      true,
      'there was no answer within 60 s',
    ]);
    // It is tried again soon, and the first tick after it is done adopts it.
    fleet.at(7 * MINUTE);
    for (let s = 0; s < 6 * 60; s++) await clock.advanceMs(SECOND);
    expect([asked, plans]).toEqual([2, [6]]);
    end.abort();
    await running;
  });

  it('and a forecast that never comes gives way to the fallback, of its series alone', async () => {
    const fleet = fleetOf();
    const whole = planningOf();
    const journal = journalOf();
    const loop = createControlLoop({
      ...fleet,
      scalingPolicy: all(() => undefined),
      journal,
      planning: planningOf({
        forecaster: {
          ...whole.forecaster,
          forecast: (history, ...rest) =>
            history.key.modelId === modelId('model-b') && history.key.regionId === regionId('region-b')
              ? never()
              : whole.forecaster.forecast(history, ...rest),
        },
        fallbackForecaster: { ...whole.forecaster, name: 'yesterday' },
        stepDeadlineMs: 5 * SECOND,
      }),
    });
    for (let at = 0; at <= 10 * SECOND; at += SECOND) {
      fleet.at(at);
      await loop.tick(at);
      await turn();
    }
    expect(journal.entries.filter(({ kind }) => kind === 'plan')).toHaveLength(1);
    expect(journal.entries.filter(({ kind }) => kind === 'degradation')).toMatchObject([
      { what: 'the forecast of model-b in region-b failed (there was no answer within 5 s); yesterday answers' },
    ]);
  });

  it('from a copy of what was seen: the snapshot of a host is borrowed', async () => {
    const fleet = fleetOf();
    const endpoint = { ...fakeEndpoint() };
    let seen: number | undefined;
    const loop = createControlLoop({
      ...fleet,
      telemetry: { ...fleet.telemetry, snapshot: () => fakeFleet([endpoint], 0) },
      scalingPolicy: all(() => undefined),
      planning: planningOf({
        problem(input) {
          seen = input.fleet.endpoints[0].readyInstances;
          throw new Error('enough');
        },
      }),
    });
    await loop.tick(0);
    Object.assign(endpoint, { readyInstances: 9 });
    await turn();
    await loop.tick(SECOND);
    expect(seen).toBe(2);
  });
});

describe('what does not answer', () => {
  it('holds a tick up to its deadline only, and an endpoint is acted on again once its act was answered', async () => {
    const fleet = fleetOf();
    const journal = journalOf();
    let answer: () => void = () => undefined;
    let asked = 0;
    const loop = createControlLoop({
      telemetry: fleet.telemetry,
      actuator: {
        apply: (decisions) =>
          ++asked === 1
            ? new Promise((resolve) => (answer = () => resolve(fleet.actuator.apply(decisions))))
            : fleet.actuator.apply(decisions),
      },
      scalingPolicy: all(() => 6),
      journal,
    });
    const tick = async (at: number) => {
      fleet.at(at);
      const limit = new AbortController();
      const report = loop.tick(at, { signal: limit.signal });
      await turn();
      limit.abort(new Error('late'));
      return report;
    };
    expect((await tick(0)).results[0]).toMatchObject({ status: 'failed', reachedInstances: undefined });
    expect((await tick(SECOND)).results).toEqual([]);
    expect(asked).toBe(1);
    const decisions = () => journal.entries.filter((entry) => entry.kind === 'decision');
    expect(decisions().map(({ outcome, detail }) => `${outcome}: ${detail}`)).toEqual([
      ...Array<string>(8).fill('failed: the actuator did not answer in time'),
      ...Array<string>(8).fill('held: an act before it was not answered yet'),
    ]);
    answer();
    await turn();
    expect((await tick(2 * SECOND)).results).toEqual([]);
    expect(fleet.counts.get(fakeEndpoints()[0].endpointId)).toBe(6);
  });

  it('is telemetry that can’t be read, where it is the snapshot', async () => {
    const fleet = fleetOf();
    const loop = createControlLoop({
      ...fleet,
      telemetry: { ...fleet.telemetry, snapshot: () => never() },
      scalingPolicy: all(() => 2),
    });
    const limit = new AbortController();
    const report = loop.tick(0, { signal: limit.signal });
    limit.abort(new Error('there was no answer within 3 s'));
    expect((await report).degradations).toEqual([
      "telemetry can't be read (there was no answer within 3 s): everything is held as it is",
    ]);
    expect(fleet.applied).toEqual([]);
  });
});

describe('a region that is dark', () => {
  it('holds its own endpoints, and no others; an endpoint of one that is not dark is named', async () => {
    const fleet = fleetOf();
    const journal = journalOf();
    let dark = (_: EndpointSnapshot) => false;
    const loop = createControlLoop({
      ...fleet,
      telemetry: {
        ...fleet.telemetry,
        async snapshot() {
          const seen = await fleet.telemetry.snapshot();
          return { ...seen, endpoints: seen.endpoints.map((one) => (dark(one) ? { ...one, observedAtMs: 0 } : one)) };
        },
      },
      scalingPolicy: {
        name: 'less',
        decide: ({ endpoints }) => endpoints.map(({ endpointId }) => ({ endpointId, targetInstances: 3, reason: 'x' })),
      },
      journal,
    });
    dark = ({ regionId: region }) => region === regionId('region-a');
    fleet.at(2 * MINUTE + 1);
    expect((await loop.tick(2 * MINUTE + 1)).degradations).toEqual([
      'telemetry of region-a is stale: what is there is held as it is',
    ]);
    expect(fleet.applied).toHaveLength(4);
    expect(fleet.applied.every(([, id]) => id.startsWith('region-b/'))).toBe(true);
    expect(journal.entries.filter((one) => one.kind === 'decision' && one.outcome === 'held')).toMatchObject(
      Array(4).fill({ detail: 'how many instances it has is not known', seen: { readyInstances: undefined } }),
    );
    const [first] = fakeEndpoints();
    dark = ({ endpointId }) => endpointId === first.endpointId;
    fleet.at(3 * MINUTE);
    expect((await loop.tick(3 * MINUTE)).degradations).toEqual([
      `telemetry of ${first.endpointId} is stale: what is there is held as it is`,
    ]);
  });
});

describe('the journal', () => {
  it('has the intent before the act, and the outcome after it', async () => {
    const fleet = fleetOf();
    const order: string[] = [];
    const loop = createControlLoop({
      telemetry: fleet.telemetry,
      actuator: {
        apply: (decisions) => {
          order.push('act');
          return fleet.actuator.apply(decisions);
        },
      },
      scalingPolicy: all(() => 6),
      journal: {
        append: async (entry) => {
          await turn();
          order.push(entry.kind);
        },
      },
    });
    await loop.tick(0);
    expect(order).toEqual([...Array<string>(8).fill('intent'), 'act', ...Array<string>(8).fill('decision')]);
  });

  it.each(['at once', 'later'])(
    'that fails %s ends nothing: growing goes on, letting go waits, no entry is lost',
    async (when) => {
      const fleet = fleetOf();
      const journal = journalOf();
      let full = true;
      let wanted = 6;
      const loop = createControlLoop({
        ...fleet,
        scalingPolicy: all(() => wanted),
        journal: {
          append(entry) {
            if (!full) return journal.append(entry);
            const error = new Error('there is no space left');
            if (when === 'later') return Promise.reject(error);
            throw error;
          },
        },
      });
      const degradations = [
        "the journal can't be written (there is no space left): entries wait, and nothing is scaled in",
      ];
      expect(await loop.tick(0)).toMatchObject({ degradations });
      expect(fleet.applied.map(([, , count]) => count)).toEqual(Array(8).fill(6));
      wanted = 3;
      expect((await loop.tick(SECOND)).results).toEqual([]);
      full = false;
      expect(await loop.tick(2 * SECOND)).toMatchObject({ degradations: [] });
      await loop.tick(3 * SECOND);
      expect(fleet.counts.get(fakeEndpoints()[0].endpointId)).toBe(3);
      const of = (kind: string) => journal.entries.filter((entry) => entry.kind === kind);
      expect(of('decision').map((entry) => 'outcome' in entry && entry.outcome)).toEqual([
        ...Array<string>(8).fill('applied'),
        ...Array<string>(8).fill('held'),
        ...Array<string>(8).fill('applied'),
      ]);
      expect(of('degradation')).toHaveLength(1);
      expect(of('recovery')).toHaveLength(1);
    },
  );

  it('says how many entries were lost where it was away for too long', async () => {
    const fleet = fleetOf();
    const journal = journalOf();
    let full = true;
    let n = 4;
    const loop = createControlLoop({
      ...fleet,
      scalingPolicy: all(() => (n = n === 10 ? 5 : n + 1)),
      journal: {
        append(entry) {
          if (full) throw new Error('full');
          journal.append(entry);
        },
      },
      mode: 'advise',
    });
    for (let tick = 0; tick < 1_300; tick++) {
      fleet.at(tick * SECOND);
      await loop.tick(tick * SECOND);
    }
    full = false;
    await loop.tick(1_300 * SECOND);
    const lost = journal.entries.filter((entry) => 'what' in entry && entry.what.includes('entries were lost'));
    expect(lost).toMatchObject([{ kind: 'degradation', what: expect.stringMatching(/^\d+ entries were lost/) }, {}]);
    expect(journal.entries.length).toBeGreaterThanOrEqual(10_000);
  });

  it('does not call an act that failed one that reached nothing', async () => {
    const fleet = fleetOf();
    const journal = journalOf();
    const loop = createControlLoop({
      ...fleet,
      actuator: { apply: () => Promise.reject(new Error('connection refused')) },
      scalingPolicy: all(() => 6),
      journal,
    });
    const { results } = await loop.tick(0);
    expect(results[0]).toMatchObject({ status: 'failed', reachedInstances: undefined, detail: 'connection refused' });
    expect(journal.entries.at(-1)).toMatchObject({ outcome: 'failed', reachedInstances: undefined });
  });
});

describe('approvals', () => {
  it('carry out what was looked at, and nothing that was withdrawn meanwhile', async () => {
    const fleet = fleetOf();
    const approvals = createApprovalQueue();
    const journal = journalOf();
    let wanted = 5;
    const loop = createControlLoop({ ...fleet, approvals, journal, mode: 'approve', scalingPolicy: all(() => wanted) });
    await loop.tick(0);
    const [five] = approvals.pending;
    wanted = 4;
    await loop.tick(SECOND);
    expect([approvals.pending, await approvals.approve(five.proposalId)]).toEqual([[], false]);
    wanted = 9;
    await loop.tick(2 * SECOND);
    const nine = approvals.pending[0];
    wanted = 2;
    await loop.tick(3 * SECOND);
    expect(await approvals.approve(nine.proposalId)).toBe(false);
    await loop.tick(4 * SECOND);
    expect(fleet.applied).toEqual([]);
    const [id] = fakeEndpoints();
    const told = journal.entries
      .filter((one) => one.kind === 'decision')
      .filter((one) => one.endpointId === id.endpointId);
    expect(told.map(({ outcome, targetInstances }) => [outcome, targetInstances])).toEqual([
      ['awaits-approval', 5],
      ['withdrawn', 5],
      ['awaits-approval', 9],
      ['withdrawn', 9],
      ['awaits-approval', 2],
    ]);
    await approvals.approve(approvals.pending[0].proposalId, 'ann');
    await loop.tick(5 * SECOND);
    expect(fleet.applied).toEqual([[0, id.endpointId, 2]]);
    expect(journal.entries.at(-1)).toMatchObject({
      outcome: 'applied',
      proposalId: expect.any(String),
      approvedBy: 'ann',
    });
  });
});

describe('a lease', () => {
  it('that is lost stops every act, and its fence goes with each of them', async () => {
    const fleet = fleetOf();
    const lease = { held: true, fence: 7 };
    const fences: unknown[] = [];
    const loop = createControlLoop({
      telemetry: fleet.telemetry,
      actuator: {
        apply: (decisions, options) => {
          fences.push(options?.fence);
          return decisions.map(({ endpointId }) => ({
            endpointId,
            status: 'refused' as const,
            reachedInstances: undefined,
            detail: 'fence 8 has acted',
          }));
        },
      },
      scalingPolicy: {
        name: 'loses',
        decide: (seen) => seen.endpoints.map(({ endpointId }) => ({ endpointId, targetInstances: 6, reason: 'x' })),
      },
    });
    expect((await loop.tick(0, { lease })).degradations).toEqual([
      'another controller acts (fence 8 has acted): what this one decides is refused',
    ]);
    lease.held = false;
    expect((await loop.tick(SECOND, { lease })).degradations).toEqual(['the lease is lost: nothing is done']);
    expect(fences).toEqual([7]);
  });

  it('that somebody else has by now shows in the store, before anything is done', async () => {
    const fleet = fleetOf();
    const loop = createControlLoop({
      ...fleet,
      scalingPolicy: all(() => 6),
      state: {
        load: () => undefined,
        save: () => Promise.reject(new SageServeError('ERR_FENCED', 'fence 8 has written')),
      },
    });
    const lease: Lease = { held: true, fence: 7 };
    const { degradations } = await loop.tick(0, { lease });
    expect(degradations).toContain('another controller acts: what this one decides is refused');
    expect(fleet.applied).toEqual([]);
  });
});

/** Counts up every third time that it is asked, and forgets nothing. */
const counting = (): ScalingPolicy => {
  let asked = 0;
  return {
    name: 'counting',
    decide(fleet, plan) {
      asked++;
      const targetInstances = 4 + (plan === undefined ? 0 : 1) + Math.floor(asked / 3);
      return fleet.endpoints.map(({ endpointId }) => ({ endpointId, targetInstances, reason: `asked ${asked} times` }));
    },
    save: () => ({ version: 1, state: asked }),
    restore({ state }) {
      asked = state as number;
    },
  };
};

class Killed extends Error {}

describe('a loop that was killed', () => {
  const TICKS = 12;
  /**
   * Runs a loop whose ports kill it at the n-th step; it is started again each time. Returns what
   * was done, and the steps.
   */
  async function run(mode: 'act' | 'approve', killAt: number) {
    const texts = new Map<string, string>();
    const counts = new Map<string, number>();
    const entries: JournalEntry[] = [];
    let steps = 0;
    const fleet = fleetOf(counts);
    const ended = { now: new AbortController() };
    const guarded =
      <A extends unknown[], R>(call: (...args: A) => R) =>
      async (...args: A): Promise<Awaited<R>> => {
        const life = ended.now;
        /**
         * Killed before what is done, or after it and before it has answered; nothing is done from
         * then on.
         */
        const die = (): void => {
          life.signal.throwIfAborted();
          if (++steps !== killAt) return;
          life.abort(new Killed());
          throw new Killed();
        };
        die();
        const result = await call(...args);
        die();
        return result;
      };
    const start = () => {
      ended.now = new AbortController();
      const store: StateStore = {
        load: guarded((key) => texts.get(key)),
        save: guarded((key, text) => void texts.set(key, text)),
      };
      const approvals = createApprovalQueue({ store });
      const loop = createControlLoop({
        telemetry: { snapshot: guarded(fleet.telemetry.snapshot), demand: guarded(fleet.telemetry.demand) },
        actuator: { apply: guarded(fleet.actuator.apply) },
        scalingPolicy: counting(),
        planning: planningOf({ planSteps: 1 }),
        mode,
        ...(mode === 'approve' ? { approvals } : {}),
        journal: { append: guarded((entry) => void entries.push(entry)) },
        state: store,
        cadences: { reactMs: MINUTE, planMs: 5 * MINUTE },
        signal: ended.now.signal,
      });
      return { loop, approvals };
    };
    let { loop, approvals } = start();
    let isFresh = true;
    const report: string[] = [];
    for (let tick = 0; tick < TICKS; tick++) {
      const at = tick * MINUTE;
      fleet.at(at);
      for (;;) {
        try {
          if (isFresh) await loop.restore();
          isFresh = false;
          await loop.tick(at, { awaitPlan: true });
          ended.now.signal.throwIfAborted();
          for (const { proposalId } of approvals.pending) await approvals.approve(proposalId, 'ann');
          break;
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
          ({ loop, approvals } = start());
          isFresh = true;
        }
      }
      report.push([...counts].join(' '));
    }
    return { report, steps, applied: fleet.applied, entries };
  }

  it.each(['act', 'approve'] as const)(
    'between any two steps goes on as one that was not: %s',
    async (mode) => {
      const whole = await run(mode, Infinity);
      expect(whole.report.at(-1)).toMatch(/,[89]$/);
      const outcomes = (entries: readonly JournalEntry[]) =>
        new Set(
          entries.flatMap((one) =>
            one.kind === 'decision' ? [`${one.endpointId} ${one.targetInstances} ${one.reason} ${one.outcome}`] : [],
          ),
        );
      for (let killAt = 1; killAt <= whole.steps; killAt++) {
        const killed = await run(mode, killAt);
        expect([killAt, killed.report]).toEqual([killAt, whole.report]);
        // Every act is in the journal, whenever it was killed.
        expect([killAt, [...outcomes(killed.entries)].sort()]).toEqual([killAt, [...outcomes(whole.entries)].sort()]);
      }
      expect(whole.steps).toBeGreaterThan(100);
    },
    60_000,
  );
});

describe('what an attack found', () => {
  it('a lease that is lost, or changes hands, while something is waited for: nothing is done', async () => {
    for (const after of [{ held: false }, { fence: 3 }]) {
      const fleet = fleetOf();
      const lease = { held: true, fence: 1 };
      const loop = createControlLoop({
        ...fleet,
        scalingPolicy: all(() => 6),
        journal: { append: async () => void Object.assign(lease, after) },
      });
      expect((await loop.tick(0, { lease })).results).toEqual([]);
      expect(fleet.applied).toEqual([]);
    }
  });

  it('a journal or a store that never answers costs one tick, and then growing goes on', async () => {
    for (const hangs of [
      { journal: { append: () => never<undefined>() } },
      { state: { load: () => undefined, save: () => never<undefined>() } },
    ]) {
      const fleet = fleetOf();
      const loop = createControlLoop({ ...fleet, ...hangs, scalingPolicy: all(() => 6) });
      for (let at = 0; at < 4 * SECOND; at += SECOND) {
        fleet.at(at);
        const limit = new AbortController();
        const ticked = loop.tick(at, { signal: limit.signal });
        for (let n = 0; n < 5; n++) await turn();
        limit.abort(new Error('late'));
        await ticked;
      }
      expect(fleet.counts.get(fakeEndpoints()[0].endpointId)).toBe(6);
    }
  });

  it('a restart that advises, or that nobody has approved, carries nothing out', async () => {
    for (const mode of ['advise', 'approve'] as const) {
      const fleet = fleetOf();
      const texts = new Map<string, string>();
      const state: StateStore = { load: (key) => texts.get(key), save: (key, text) => void texts.set(key, text) };
      const first = createControlLoop({
        ...fleet,
        actuator: { apply: () => never() },
        state,
        scalingPolicy: all(() => 2),
      });
      void first.tick(0).catch(() => undefined);
      for (let n = 0; n < 5; n++) await turn();
      const journal = journalOf();
      const next = createControlLoop({
        ...fleet,
        state,
        mode,
        approvals: createApprovalQueue(),
        scalingPolicy: all(() => undefined),
        journal,
      });
      await next.restore();
      await next.tick(0);
      expect([mode, fleet.applied]).toEqual([mode, []]);
      expect(journal.entries.filter((one) => one.kind === 'decision' && one.outcome === 'held')).toHaveLength(8);
    }
  });

  it('approvals that could not be read once are read again before anything takes their place', async () => {
    const fleet = fleetOf();
    const texts = new Map<string, string>();
    let away = false;
    const store: StateStore = {
      load: (key) => (away ? Promise.reject(new Error('away')) : texts.get(key)),
      save: (key, text) => void texts.set(key, text),
    };
    const queue = createApprovalQueue({ store });
    const loop = createControlLoop({
      ...fleet,
      state: store,
      mode: 'approve',
      approvals: queue,
      scalingPolicy: all(() => 6),
    });
    await loop.restore();
    await loop.tick(0);
    await queue.approve(queue.pending[0].proposalId);
    away = true;
    const approvals = createApprovalQueue({ store });
    const next = createControlLoop({ ...fleet, state: store, mode: 'approve', approvals, scalingPolicy: all(() => 6) });
    await next.restore();
    fleet.at(SECOND);
    await next.tick(SECOND);
    away = false;
    fleet.at(2 * SECOND);
    await next.tick(2 * SECOND);
    expect(fleet.applied).toHaveLength(1);
    expect(approvals.pending).toHaveLength(7);
  });

  it('ports that do what they must not are degradations, and end nothing', async () => {
    const odd: Partial<ControlLoopOptions>[] = [
      { actuator: { apply: () => undefined as never } },
      { scalingPolicy: { ...all(() => 6), save: () => ({ version: 1, state: new Set() }), restore: () => undefined } },
      {
        onPlan: () => {
          throw new Error('no');
        },
        planning: planningOf(),
      },
    ];
    for (const options of odd) {
      const fleet = fleetOf();
      const store: StateStore = { load: () => undefined, save: () => undefined };
      const loop = createControlLoop({ ...fleet, scalingPolicy: all(() => 6), state: store, ...options });
      expect((await loop.tick(0, { awaitPlan: true })).atMs).toBe(0);
    }
  });

  it('times that are none are stale', async () => {
    const fleet = fleetOf();
    const loop = createControlLoop({
      ...fleet,
      telemetry: { ...fleet.telemetry, snapshot: () => ({ ...fakeFleet(fakeEndpoints(), 0), takenAtMs: NaN }) },
      scalingPolicy: all(() => 2),
    });
    expect((await loop.tick(0)).degradations).toEqual(['telemetry is stale: everything is held as it is']);
  });
});

describe('a plan that nobody could renew', () => {
  it('is given up after three hours, which is said until there is another', async () => {
    const fleet = fleetOf();
    let solve: () => void = () => undefined;
    let asked = 0;
    const fixed = planningOf().optimizer;
    const plans: boolean[] = [];
    const loop = createControlLoop({
      ...fleet,
      scalingPolicy: all(() => undefined),
      planning: planningOf({
        stepDeadlineMs: 24 * HOUR,
        optimizer: {
          name: 'slow',
          solve: (...args) =>
            ++asked === 1
              ? fixed.solve(...args)
              : new Promise((resolve) => (solve = () => resolve(fixed.solve(...args)))),
        },
      }),
      onPlan: (plan) => plans.push(plan !== undefined),
      cadences: { reactMs: MINUTE },
    });
    const tick = async (at: number) => {
      fleet.at(at);
      const { degradations, planned } = await loop.tick(at);
      await turn();
      return { degradations, planned };
    };
    const outlived = 'the last plan is too old: scaling is reactive only';
    expect(await tick(0)).toEqual({ degradations: [], planned: false });
    expect(await tick(MINUTE)).toEqual({ degradations: [], planned: true });
    expect(await tick(HOUR)).toEqual({ degradations: [], planned: false });
    // It is of the time at which it was begun.
    expect(await tick(3 * HOUR)).toEqual({ degradations: [], planned: false });
    for (const later of [MINUTE, 2 * MINUTE])
      expect(await tick(3 * HOUR + later)).toEqual({ degradations: [outlived], planned: false });
    solve();
    await turn();
    await tick(3 * HOUR + 3 * MINUTE);
    expect(plans).toEqual([true, false, true]);
  });

  it('stays over a restart, and so do its forecasts', async () => {
    const texts = new Map<string, string>();
    const state: StateStore = { load: (key) => texts.get(key), save: (key, text) => void texts.set(key, text) };
    const fleet = fleetOf();
    const first = createControlLoop({ ...fleet, scalingPolicy: all(() => 4), planning: planningOf(), state });
    await first.tick(0, { awaitPlan: true });
    const broken = (what: string) => () => {
      throw new Error(what);
    };
    const next = createControlLoop({
      ...fleet,
      scalingPolicy: all(() => 4),
      state,
      planning: planningOf({
        forecaster: { name: 'broken', minHistorySteps: 1, forecast: broken('no forecast') },
        optimizer: { name: 'broken', solve: broken('no solver') },
      }),
    });
    await next.restore();
    expect(next.plan?.validFromMs).toBe(0);
    fleet.at(HOUR);
    const { degradations } = await next.tick(HOUR, { awaitPlan: true });
    expect(degradations.slice(0, -1)).toEqual(Array(4).fill(expect.stringContaining('its last forecast stays')));
    expect(degradations.at(-1)).toBe('no plan could be made: no solver; the last valid plan stays');
    expect(next.plan?.validFromMs).toBe(0);
  });
});

describe('what a loop remembers', () => {
  it('that can’t be read means that nothing is scaled in for a while, and is said', async () => {
    for (const load of [
      () => Promise.reject(new Error('no route')),
      () => 'nonsense',
      () => '{"version":2,"state":{}}',
    ]) {
      const fleet = fleetOf();
      const loop = createControlLoop({
        ...fleet,
        scalingPolicy: all((nowMs) => (nowMs < MINUTE ? 5 : 2)),
        state: { load, save: () => undefined },
        cadences: { reactMs: MINUTE },
      });
      await loop.restore();
      const first = await loop.tick(0);
      expect(first.degradations).toEqual([
        expect.stringMatching(/^what the loop remembered can't be read \(.*minutes$/),
      ]);
      for (let at = MINUTE; at <= 14 * MINUTE; at += MINUTE) {
        fleet.at(at);
        await loop.tick(at);
      }
      expect(fleet.applied.every(([, , count]) => count === 5)).toBe(true);
      fleet.at(15 * MINUTE);
      expect((await loop.tick(15 * MINUTE)).degradations).toEqual([]);
      expect(fleet.applied.at(-1)![2]).toBe(2);
    }
  });

  it('is kept when it changes, and not with every tick; that it can’t be is said', async () => {
    const fleet = fleetOf();
    let saves = 0;
    let full = false;
    const loop = createControlLoop({
      ...fleet,
      scalingPolicy: all((nowMs) => (nowMs < 5 * SECOND ? 6 : 7)),
      state: {
        load: () => undefined,
        save() {
          saves++;
          if (full) throw new Error('no space');
        },
      },
      journal: journalOf(),
    });
    for (let at = 0; at < 5 * SECOND; at += SECOND) await loop.tick(at);
    // Before the act, after it, and when what was told of it is over.
    expect(saves).toBe(3);
    full = true;
    expect((await loop.tick(5 * SECOND)).degradations).toEqual([
      "what the loop remembers can't be kept (no space): a restart forgets it",
    ]);
    full = false;
    expect((await loop.tick(6 * SECOND)).degradations).toEqual([]);
    await loop.tick(HOUR);
  });
});
