import {
  type Actuator,
  type DemandSeries,
  type FleetSnapshot,
  type Forecaster,
  modelId,
  PlacementGrid,
  type PlacementOptimizer,
  type PlacementProblem,
  PolicyContractError,
  type ScalingPolicy,
  type TelemetrySource,
} from '@sageserve/core';
import {
  actuatorConformance,
  controlLoopConformance,
  createVirtualClock,
  fakeEndpoint,
  fakeEndpoints,
  fakeFleet,
} from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createApprovalQueue } from './approvals.js';
import { createControlLoop } from './control-loop.js';
import type { ControlLoopOptions } from './control-loop-options.js';
import { createDryRunActuator } from './dry-run.js';
import { type JournalEntry, journalLine } from './journal.js';
import { runControlLoop } from './live-host.js';
import type { PlanningOptions } from './planning-options.js';

/** As a simulation ticks: time stands still while a plan is made. */
const AWAITED = { awaitPlan: true } as const;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/** A fleet of one endpoint that does as it is told. */
function fakeFleetPorts(fields: Parameters<typeof fakeEndpoint>[0] = {}) {
  let ready = 4;
  let takenAtMs = 0;
  const applied: [number, number][] = [];
  const endpoint = () => fakeEndpoint({ readyInstances: ready, ...fields });
  const telemetry: TelemetrySource = {
    snapshot: () => fakeFleet([endpoint()], takenAtMs),
    demand: (keys, _since, stepMs) =>
      keys.map((key): DemandSeries => ({
        key,
        startMs: takenAtMs - 6 * stepMs,
        stepMs,
        promptTokensPerS: Float64Array.of(1, 2, 3, 4, 5, 6),
        outputTokensPerS: new Float64Array(6),
        requestsPerS: Float64Array.of(1, 1, 1, 1, 1, 1),
      })),
  };
  const actuator: Actuator = {
    apply: (decisions) =>
      decisions.map(({ endpointId, targetInstances }) => {
        const status = ready === targetInstances ? ('unchanged' as const) : ('applied' as const);
        ready = targetInstances;
        applied.push([takenAtMs, targetInstances]);
        return { endpointId, status, reachedInstances: ready, detail: undefined };
      }),
  };
  return { telemetry, actuator, applied, at: (ms: number) => (takenAtMs = ms), ready: () => ready };
}

const target = (of: (nowMs: number) => number): ScalingPolicy => ({
  name: 'scripted',
  decide: (fleet, _plan, nowMs) =>
    fleet.endpoints.map(({ endpointId }) => ({ endpointId, targetInstances: of(nowMs), reason: 'script' })),
});

const constantForecaster = (tokens: () => number, name = 'constant'): Forecaster => ({
  name,
  minHistorySteps: 1,
  forecast(history, horizonSteps, options) {
    const values = new Float64Array(horizonSteps).fill(tokens());
    const column = { mean: values, quantiles: (options?.quantileLevels ?? [0.5]).map((level) => ({ level, values })) };
    return {
      ...column,
      startMs: history.startMs + history.promptTokensPerS.length * history.stepMs,
      stepMs: history.stepMs,
      promptTokensPerS: column,
      outputTokensPerS: {
        mean: new Float64Array(horizonSteps),
        quantiles: column.quantiles.map(({ level }) => ({ level, values: new Float64Array(horizonSteps) })),
      },
      method: name,
    };
  },
});

const one = (value: number): PlacementGrid => new PlacementGrid(1, 1, 1, Float64Array.of(value));
const problem = (): PlacementProblem => ({
  models: [modelId('model-a')],
  regions: [fakeEndpoint().regionId],
  skus: [fakeEndpoint().skuId],
  current: one(4),
  minInstances: one(2),
  maxInstances: one(10),
  tokensPerSPerInstance: one(1),
  gpusPerInstance: one(1),
  gpuCapacity: one(10),
  usdPerInstanceHour: one(1),
  startUsd: one(0),
  demandTokensPerS: [one(5)],
  localShare: 1,
});
const planFor = (instances: () => number): PlacementOptimizer => ({
  name: 'fixed',
  solve: () => ({ status: 'optimal', target: one(instances()), objectiveUsd: 0, relativeGap: 0, solver: 'fixed' }),
});
/** Follows the plan, and says so where there is none. */
const followPlan: ScalingPolicy = {
  name: 'follow',
  decide: (fleet, plan) =>
    fleet.endpoints.map(({ endpointId }) => ({
      endpointId,
      targetInstances: plan?.target.at(0, 0, 0) ?? 3,
      reason: plan === undefined ? 'no plan' : 'plan',
    })),
};

interface Driven {
  /** Without what is only about to be done. */
  readonly journal: JournalEntry[];
  readonly intents: JournalEntry[];
  readonly ports: ReturnType<typeof fakeFleetPorts>;
  readonly loop: ReturnType<typeof createControlLoop>;
  drive(untilMs: number): Promise<string[]>;
}

function drive(
  options: Partial<ControlLoopOptions>,
  planning?: Partial<PlanningOptions>,
  stale: (nowMs: number) => boolean = () => false,
): Driven {
  const ports = fakeFleetPorts();
  const journal: JournalEntry[] = [];
  const intents: JournalEntry[] = [];
  const loop = createControlLoop({
    ...ports,
    scalingPolicy: followPlan,
    journal: { append: (entry) => void (entry.kind === 'intent' ? intents : journal).push(entry) },
    cadences: { reactMs: MINUTE, planMs: HOUR },
    ...(planning === undefined
      ? {}
      : { planning: { forecaster: constantForecaster(() => 5), optimizer: planFor(() => 5), problem, ...planning } }),
    ...options,
  });
  return {
    journal,
    intents,
    ports,
    loop,
    async drive(untilMs) {
      const degradations: string[] = [];
      while (loop.nextTickAtMs <= untilMs) {
        const nowMs = loop.nextTickAtMs;
        if (!stale(nowMs)) ports.at(nowMs);
        degradations.push(...(await loop.tick(nowMs, AWAITED)).degradations);
      }
      return [...new Set(degradations)];
    },
  };
}

describe('createControlLoop', () => {
  for (const check of controlLoopConformance(() => drive({}, {}).loop)) it(check.name, check.run);

  it('ticks once for each multiple of a cadence, whatever its length and wherever it begins', () =>
    fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.01, max: 1e5, noNaN: true }),
        fc.constantFrom(0, 0.1, 1_700_000_000_000),
        async (reactMs, firstTickAtMs) => {
          const loop = createControlLoop({
            ...fakeFleetPorts(),
            scalingPolicy: followPlan,
            cadences: { reactMs },
            firstTickAtMs,
          });
          for (let n = 0; n < 60; n++) {
            const atMs = loop.nextTickAtMs;
            expect(Math.abs(atMs - (firstTickAtMs + n * reactMs))).toBeLessThan(Math.max(0.002, 1e-9 * reactMs));
            await loop.tick(atMs);
          }
        },
      ),
      {
        examples: [
          [33.3, 0],
          [16.7, 0],
          [100.1, 0],
          [0.1, 0],
          [0.3, 0],
          [10.1, 0],
        ],
      },
    ));

  it('keeps its cadences: observe, react, plan', async () => {
    const { loop, drive: go, journal } = drive({ cadences: { observeMs: 10_000, reactMs: MINUTE, planMs: HOUR } }, {});
    let ticks = 0;
    const counted = {
      ...loop,
      get nextTickAtMs() {
        return loop.nextTickAtMs;
      },
      tick: (at: number) => (ticks++, loop.tick(at, AWAITED)),
    };
    while (counted.nextTickAtMs < 10 * MINUTE) await counted.tick(counted.nextTickAtMs);
    expect(ticks).toBe(60);
    await go(3 * HOUR);
    expect(journal.filter((entry) => entry.kind === 'plan').map((entry) => entry.atMs)).toEqual([
      0,
      HOUR,
      2 * HOUR,
      3 * HOUR,
    ]);
    for (const [observeMs, reactMs] of [
      [33.3, 99.9],
      [33.3, 333],
      [0.1, 0.3],
      [1_000 / 3, 1_000],
      [5 / 7, (5 / 7) * 100_004],
      [0.001, 0.001],
    ] as const)
      expect(() =>
        createControlLoop({ ...fakeFleetPorts(), scalingPolicy: followPlan, cadences: { observeMs, reactMs } }),
      ).not.toThrow();
    for (const [observeMs, reactMs] of [
      [100, 50],
      [33.3, 100],
      [1, 1.5],
    ] as const)
      expect(() =>
        createControlLoop({ ...fakeFleetPorts(), scalingPolicy: followPlan, cadences: { observeMs, reactMs } }),
      ).toThrow('cadences.reactMs: must be a multiple');
    expect(() =>
      createControlLoop({
        ...fakeFleetPorts(),
        scalingPolicy: followPlan,
        cadences: { observeMs: 7_000, reactMs: 10_000 },
      }),
    ).toThrow('cadences.reactMs: must be a multiple of observeMs (7000), not 10000');
  });

  it('writes down what was seen, forecast, planned, done and why', async () => {
    const { journal, drive: go } = drive({}, {});
    await go(0);
    expect(journal).toMatchObject([
      {
        kind: 'plan',
        status: 'optimal',
        targets: { 'region-a/model-a/sku-a': { held: 4, target: 5 } },
        forecasts: [{ method: 'constant', expected: Array(12).fill(5), low: Array(12).fill(5) }],
      },
      {
        kind: 'decision',
        endpointId: 'region-a/model-a/sku-a',
        seen: { readyInstances: 4 },
        plannedInstances: 5,
        targetInstances: 5,
        reason: 'plan',
        outcome: 'applied',
        reachedInstances: 5,
      },
    ]);
  });

  it('carries out and writes down changes only, however often a policy repeats itself', async () => {
    const { ports, journal, drive: go } = drive({ scalingPolicy: target((nowMs) => (nowMs < 5 * MINUTE ? 6 : 7)) });
    await go(20 * MINUTE);
    expect(ports.applied).toEqual([
      [0, 6],
      [5 * MINUTE, 7],
    ]);
    expect(journal).toHaveLength(2);
  });

  it('advises without touching anything', async () => {
    const { ports, journal, drive: go } = drive({ mode: 'advise', scalingPolicy: target(() => 6) });
    await go(0);
    expect(ports.applied).toEqual([]);
    expect(journal).toMatchObject([{ kind: 'decision', targetInstances: 6, outcome: 'advised' }]);
  });

  it('waits for a person, takes what was approved once, and forgets what was rejected until something else is wanted', async () => {
    const approvals = createApprovalQueue();
    let wanted = 6;
    const { ports, journal, drive: go } = drive({ mode: 'approve', approvals, scalingPolicy: target(() => wanted) });
    await go(2 * MINUTE);
    expect(ports.applied).toEqual([]);
    expect(approvals.pending).toMatchObject([{ decision: { targetInstances: 6 }, proposedAtMs: 0 }]);
    expect(await approvals.approve('p1')).toBe(true);
    expect(await approvals.approve('p1')).toBe(false);
    await go(4 * MINUTE);
    expect(ports.applied).toEqual([[3 * MINUTE, 6]]);
    wanted = 8;
    await go(5 * MINUTE);
    expect(await approvals.reject('p2')).toBe(true);
    await go(7 * MINUTE);
    expect(approvals.pending).toEqual([]);
    wanted = 9;
    await go(8 * MINUTE);
    expect(approvals.pending).toMatchObject([{ decision: { targetInstances: 9 } }]);
    expect(journal.map((entry) => entry.kind === 'decision' && entry.outcome)).toEqual([
      'awaits-approval',
      'applied',
      'awaits-approval',
      'rejected',
      'awaits-approval',
    ]);
    expect(() => createControlLoop({ ...fakeFleetPorts(), scalingPolicy: followPlan, mode: 'approve' })).toThrow(
      'approvals: is needed for the mode "approve"',
    );
  });

  it('does not carry out what was approved and is no longer wanted', async () => {
    const approvals = createApprovalQueue();
    let wanted = 6;
    const { ports, drive: go } = drive({ mode: 'approve', approvals, scalingPolicy: target(() => wanted) });
    await go(0);
    await approvals.approve('p1');
    wanted = 3;
    await go(MINUTE);
    expect(ports.applied).toEqual([]);
  });

  it('carries out what was approved with the next tick, whatever else is decided, and not when it has grown old', async () => {
    const approvals = createApprovalQueue({ expireAfterMs: 10 * MINUTE });
    const once = (): ScalingPolicy => {
      let asked = false;
      return {
        name: 'once',
        decide: (fleet) =>
          asked
            ? []
            : ((asked = true), [{ endpointId: fleet.endpoints[0].endpointId, targetInstances: 6, reason: 'x' }]),
      };
    };
    const soon = drive({ mode: 'approve', approvals, scalingPolicy: once() });
    await soon.drive(0);
    await approvals.approve('p1');
    await soon.drive(MINUTE);
    expect(soon.ports.applied).toEqual([[MINUTE, 6]]);
    const late = drive({ mode: 'approve', approvals, scalingPolicy: once() });
    await late.drive(0);
    await approvals.approve('p2');
    approvals.propose([], () => 4, 10 * MINUTE);
    await late.drive(MINUTE);
    expect(late.ports.applied).toEqual([]);
  });

  it('never shrinks on approval what nothing is known of, and carries out the rest of what was approved', async () => {
    const [, , , growing, shrinking, level, seen] = fakeEndpoints().map(({ endpointId }) => endpointId);
    const kvOf = new Map<string, number | undefined>([
      [growing, undefined],
      [shrinking, undefined],
      [level, undefined],
      [seen, 0],
    ]);
    const targets = new Map([
      [growing, 6],
      [shrinking, 4],
      [level, 5],
      [seen, 4],
    ]);
    // Five of each, two of them on their way.
    const endpoints = fakeEndpoints().map(({ endpointId, ...rest }) => ({
      ...rest,
      endpointId,
      readyInstances: 3,
      provisioningInstances: level === endpointId ? 3 : 2,
      kvCacheUtilization: kvOf.has(endpointId) ? kvOf.get(endpointId) : 0.5,
    }));
    const approvals = createApprovalQueue();
    const applied: string[] = [];
    const loop = createControlLoop({
      telemetry: { snapshot: () => fakeFleet(endpoints, 0), demand: () => Promise.reject(new Error('no')) },
      actuator: {
        apply: (decisions) =>
          decisions.map(({ endpointId, targetInstances }) => {
            applied.push(endpointId);
            return { endpointId, status: 'applied' as const, reachedInstances: targetInstances, detail: undefined };
          }),
      },
      scalingPolicy: {
        name: 'four',
        decide: () =>
          [...targets].map(([endpointId, targetInstances]) => ({ endpointId, targetInstances, reason: 'x' })),
      },
      mode: 'approve',
      approvals,
      cadences: { reactMs: MINUTE },
    });
    await loop.tick(0, AWAITED);
    for (const { proposalId } of approvals.pending) expect(await approvals.approve(proposalId)).toBe(true);
    await loop.tick(MINUTE, AWAITED);
    // Six on their way already are more than five: that would be a way down.
    expect(applied).toEqual([growing, seen]);
  });

  it('writes down of each endpoint what was seen of it and what the plan says of it, not of its neighbour', async () => {
    const journal: JournalEntry[] = [];
    const endpoints = fakeEndpoints(({ m, r, k }) => ({
      readyInstances: 1 + 4 * m + 2 * r + k,
      queuedTokens: 10 * m,
      drainingInstances: r,
      demandTokensPerS: k,
    }));
    const grid = (values: readonly number[]) => new PlacementGrid(2, 2, 2, Float64Array.from(values));
    const loop = createControlLoop({
      telemetry: { snapshot: () => fakeFleet(endpoints, 0), demand: fakeFleetPorts().telemetry.demand },
      actuator: {
        apply: (all) =>
          all
            .map(({ endpointId }, i) => ({
              endpointId,
              status: i === 0 ? ('partial' as const) : ('applied' as const),
              reachedInstances: i,
              detail: undefined,
            }))
            .reverse(),
      },
      scalingPolicy: {
        name: 'plus',
        decide: (fleet) =>
          fleet.endpoints.map(({ endpointId, readyInstances }) => ({
            endpointId,
            targetInstances: readyInstances! + 1,
            reason: 'x',
          })),
      },
      planning: {
        forecaster: constantForecaster(() => 5),
        optimizer: {
          name: 'fixed',
          solve: () => ({
            status: 'optimal',
            target: grid([11, 12, 13, 14, 15, 16, 17, 18]),
            objectiveUsd: 0,
            relativeGap: 0,
            solver: 'fixed',
          }),
        },
        problem: () => ({
          ...problem(),
          models: [...new Set(endpoints.map((one) => one.modelId))],
          regions: [...new Set(endpoints.map((one) => one.regionId))],
          skus: [...new Set(endpoints.map((one) => one.skuId))],
          current: grid([1, 2, 3, 4, 5, 6, 7, 8]),
          minInstances: grid(Array<number>(8).fill(0)),
        }),
      },
      journal: { append: (entry) => void journal.push(entry) },
    });
    await loop.tick(0, AWAITED);
    const decisions = journal.filter((entry) => entry.kind === 'decision');
    expect(decisions).toMatchObject(
      endpoints.map(({ endpointId, readyInstances, queuedTokens, drainingInstances, demandTokensPerS }, i) => ({
        endpointId,
        seen: {
          readyInstances,
          queuedTokens,
          drainingInstances,
          demandTokensPerS,
          provisioningInstances: 0,
          kvCacheUtilization: 0.5,
        },
        plannedInstances: 11 + i,
        targetInstances: readyInstances! + 1,
        outcome: i === 0 ? 'partial' : 'applied',
        reachedInstances: i,
      })),
    );
  });

  it('takes a decision that the actuator is silent about for failed', async () => {
    const { journal, drive: go } = drive({ scalingPolicy: target(() => 3), actuator: { apply: () => [] } });
    await go(0);
    expect(journal).toMatchObject([
      { seen: { readyInstances: 4 }, outcome: 'failed', detail: 'the actuator did not answer' },
    ]);
  });

  it.each([null, undefined, 'x', 3])('takes what is no result for silence: %j', async (odd) => {
    const apply = (): never => [odd] as never;
    const { journal, loop } = drive({ scalingPolicy: target(() => 3), actuator: { apply } });
    expect((await loop.tick(0, AWAITED)).results).toEqual([]);
    expect(journal).toMatchObject([
      { seen: { readyInstances: 4 }, outcome: 'failed', detail: 'the actuator did not answer' },
    ]);
  });

  it('says of a recovery what is no longer so', async () => {
    const { journal, drive: go } = drive(
      { scalingPolicy: target(() => 4) },
      undefined,
      (nowMs) => nowMs >= MINUTE && nowMs < 10 * MINUTE,
    );
    await go(12 * MINUTE);
    const what = 'telemetry is stale: everything is held as it is';
    expect(journal).toEqual([
      { kind: 'degradation', atMs: 3 * MINUTE, what },
      { kind: 'recovery', atMs: 10 * MINUTE, what: `no longer so: ${what}`, ends: what },
    ]);
  });

  it('calls telemetry stale when it is older than it may be, and no sooner', async () => {
    const at = async (staleAfterMs: number) => {
      const { loop } = drive({ staleAfterMs, scalingPolicy: target(() => 4) });
      return (await loop.tick(MINUTE, AWAITED)).degradations.length;
    };
    expect([await at(MINUTE), await at(MINUTE - 1)]).toEqual([0, 1]);
    expect(() => drive({ staleAfterMs: 0 })).toThrow('staleAfterMs: must be above 0, not 0');
    expect(() => drive({ cadences: { planMs: Infinity } })).toThrow(
      'cadences.planMs: must be 0.001 milliseconds or more, not Infinity',
    );
    expect(() => drive({ cadences: { planMs: 0 } })).toThrow(
      'cadences.planMs: must be 0.001 milliseconds or more, not 0',
    );
  });

  it('begins when it is told to, and comes back to its cadence after a tick that was late', async () => {
    const { loop, ports } = drive({
      firstTickAtMs: 40_000,
      cadences: { reactMs: MINUTE },
      scalingPolicy: target(() => 6),
    });
    expect(loop.nextTickAtMs).toBe(40_000);
    ports.at(40_000 + 90_000);
    await loop.tick(40_000 + 90_000);
    expect(loop.nextTickAtMs).toBe(40_000 + 2 * MINUTE);
    // One that comes before its time changes nothing.
    expect((await loop.tick(40_000 + 91_000)).decisions).toEqual([]);
    expect(loop.nextTickAtMs).toBe(40_000 + 2 * MINUTE);
  });

  it('ignores what is no count, and carries out the rest', async () => {
    for (const odd of [-1, 2.5, NaN]) {
      const endpoints = fakeEndpoints(() => ({ readyInstances: 4, minInstances: 0 })).slice(0, 3);
      const applied: number[] = [];
      const loop = createControlLoop({
        telemetry: { snapshot: () => fakeFleet(endpoints, 0), demand: fakeFleetPorts().telemetry.demand },
        actuator: {
          apply: (all) =>
            all.map(
              ({ endpointId, targetInstances }) => (
                applied.push(targetInstances),
                { endpointId, status: 'applied' as const, reachedInstances: targetInstances, detail: undefined }
              ),
            ),
        },
        scalingPolicy: {
          name: 'odd',
          decide: () =>
            [odd, 0, 5].map((targetInstances, i) => ({
              endpointId: endpoints[i].endpointId,
              targetInstances,
              reason: 'x',
            })),
        },
      });
      const report = await loop.tick(0, AWAITED);
      expect([applied, report.degradations]).toEqual([[0, 5], [`odd asks for ${odd} instances: that is ignored`]]);
    }
  });

  it('needs no journal, and says in its report what it planned and what is not as it should be', async () => {
    const { loop, ports } = drive({ journal: undefined as never, staleAfterMs: MINUTE }, {});
    expect((await loop.tick(0, AWAITED)).planned).toBe(true);
    expect((await loop.tick(MINUTE, AWAITED)).planned).toBe(false);
    expect(await loop.tick(HOUR, AWAITED)).toMatchObject({
      planned: false,
      degradations: ['telemetry is stale: everything is held as it is'],
      decisions: [],
      results: [],
    });
    ports.at(HOUR + MINUTE);
    expect(await loop.tick(HOUR + MINUTE, AWAITED)).toMatchObject({ planned: true, degradations: [] });
    const plain = drive({ journal: undefined as never, scalingPolicy: target(() => 6) });
    expect(await plain.loop.tick(0, AWAITED)).toMatchObject({
      planned: false,
      decisions: [{ targetInstances: 6 }],
      results: [{ reachedInstances: 6 }],
    });
  });

  it('advises on endpoints of which the plan says nothing', async () => {
    const { journal, drive: go } = drive(
      {
        mode: 'advise',
        scalingPolicy: target(() => 6),
      },
      { problem: () => ({ ...problem(), skus: ['other' as never] }) },
    );
    await go(0);
    expect(journal.slice(1)).toMatchObject([
      { targetInstances: 6, plannedInstances: undefined, outcome: 'advised', seen: { readyInstances: 4 } },
    ]);
    const planned = drive({ mode: 'advise', scalingPolicy: target(() => 6) }, {});
    await planned.drive(0);
    expect(planned.journal[1]).toMatchObject({ plannedInstances: 5 });
  });

  it('goes on after a breach where it is to degrade, and after any other error where it is not', async () => {
    const throwing = (error: Error) => ({
      name: 'mine',
      decide: () => {
        throw error;
      },
    });
    const breach = new PolicyContractError('router "mine"', 'answered with NaN', 'never');
    expect(await drive({ scalingPolicy: throwing(breach) }).drive(0)).toEqual([
      'mine failed (router "mine" answered with NaN): nothing is decided',
    ]);
    expect(await drive({ onBreach: 'throw', scalingPolicy: throwing(new Error('oops')) }).drive(0)).toEqual([
      'mine failed (oops): nothing is decided',
    ]);
  });

  it('carries out nothing that was approved and changes nothing', async () => {
    const approvals = createApprovalQueue();
    const endpoint = fakeEndpoint({ readyInstances: 3, kvCacheUtilization: undefined });
    let held = 3;
    const applied: [string, number][] = [];
    const loop = createControlLoop({
      telemetry: {
        snapshot: () => fakeFleet([{ ...endpoint, readyInstances: held }], 0),
        demand: fakeFleetPorts().telemetry.demand,
      },
      actuator: {
        apply: (all) =>
          all.map(
            ({ endpointId, targetInstances }) => (
              applied.push([endpointId, targetInstances]),
              { endpointId, status: 'applied' as const, reachedInstances: targetInstances, detail: undefined }
            ),
          ),
      },
      scalingPolicy: {
        name: 'x',
        decide: () => [{ endpointId: endpoint.endpointId, targetInstances: 5, reason: 'x' }],
      },
      mode: 'approve',
      approvals,
      cadences: { reactMs: MINUTE },
    });
    await loop.tick(0, AWAITED);
    for (const { proposalId } of approvals.pending) await approvals.approve(proposalId);
    held = 5;
    await loop.tick(MINUTE, AWAITED);
    // What is there already needs no act.
    expect(applied).toEqual([]);
    expect(approvals.approved).toEqual([]);
  });

  it('writes down each time that something was done, also when it is the same as before', async () => {
    const { journal, ports, drive: go } = drive({ scalingPolicy: target((nowMs) => (nowMs === MINUTE ? 4 : 6)) });
    await go(2 * MINUTE);
    expect(ports.applied.map(([, count]) => count)).toEqual([6, 4, 6]);
    expect(journal.map((entry) => entry.kind === 'decision' && [entry.targetInstances, entry.detail])).toEqual([
      [6, undefined],
      [4, undefined],
      [6, undefined],
    ]);
    const again = drive({
      scalingPolicy: target(() => 6),
      actuator: {
        apply: (all) =>
          all.map(({ endpointId }) => ({
            endpointId,
            status: 'applied' as const,
            reachedInstances: 4,
            detail: undefined,
          })),
      },
    });
    await again.drive(2 * MINUTE);
    expect(again.journal).toHaveLength(3);
  });

  it('asks the actuator for nothing where nothing is to be done, and counts what is on its way as done', async () => {
    let asked = 0;
    const actuator: Actuator = {
      apply: (all) => (
        asked++,
        all.map(({ endpointId }) => ({
          endpointId,
          status: 'unchanged' as const,
          reachedInstances: 0,
          detail: undefined,
        }))
      ),
    };
    const coming = fakeFleetPorts({ readyInstances: 3, provisioningInstances: 3 });
    for (const mode of ['act', 'approve'] as const) {
      const loop = createControlLoop({
        telemetry: coming.telemetry,
        actuator,
        mode,
        approvals: createApprovalQueue(),
        scalingPolicy: target(() => 6),
      });
      await loop.tick(0, AWAITED);
    }
    expect(asked).toBe(0);
  });

  it('tells of a plan when it changes, not with every tick', async () => {
    const told: (number | undefined)[] = [];
    const { drive: go } = drive({ onPlan: (plan) => told.push(plan?.validFromMs) }, {});
    await go(90 * MINUTE);
    expect(told).toEqual([0, HOUR]);
  });

  it('ends the tick where a policy or a forecaster breaks its contract and that is asked for', async () => {
    const strict = (decide: ScalingPolicy['decide']) =>
      drive({ onBreach: 'throw', scalingPolicy: { name: 'mine', decide } }).drive(0);
    const id = fakeEndpoint().endpointId;
    await expect(strict(() => [{ endpointId: id, targetInstances: NaN, reason: '' }])).rejects.toThrow(
      PolicyContractError,
    );
    await expect(strict(() => [{ endpointId: 'elsewhere' as never, targetInstances: 3, reason: '' }])).rejects.toThrow(
      'scaling policy "mine"',
    );
    await expect(strict(() => 5 as never)).rejects.toThrow(PolicyContractError);
    await expect(strict(() => [{ endpointId: id, targetInstances: 3, reason: 'x' }])).resolves.toEqual([]);
    const forecaster: Forecaster = {
      ...constantForecaster(() => 5),
      forecast: () => {
        throw new PolicyContractError('forecaster "mine"', 'answered with NaN', 'never');
      },
    };
    await expect(drive({ onBreach: 'throw' }, { forecaster }).drive(0)).rejects.toThrow('forecaster "mine"');
    expect(await drive({}, { forecaster }).drive(0)).toHaveLength(2);
  });

  it('outlives a policy that throws or asks for what is no count, and says so', async () => {
    const broken = drive({
      scalingPolicy: {
        name: 'broken',
        decide() {
          throw new Error('oops');
        },
      },
    });
    expect(await broken.drive(MINUTE)).toEqual(['broken failed (oops): nothing is decided']);
    const odd = drive({ scalingPolicy: target((nowMs) => (nowMs === 0 ? NaN : 6)) });
    expect(await odd.drive(MINUTE)).toEqual(['scripted asks for NaN instances: that is ignored']);
    expect(odd.ports.applied).toEqual([[MINUTE, 6]]);
  });

  it('tells once of what can’t be done, however often it is tried', async () => {
    let tries = 0;
    const { journal, drive: go } = drive({
      scalingPolicy: target(() => 6),
      actuator: {
        apply: (decisions) => (
          tries++,
          decisions.map(({ endpointId }) => ({
            endpointId,
            status: 'partial' as const,
            reachedInstances: 4,
            detail: 'no GPU',
          }))
        ),
      },
    });
    await go(10 * MINUTE);
    expect(tries).toBe(11);
    expect(journal).toHaveLength(1);
  });

  it('goes on when the actuator fails, and says what it could not do', async () => {
    const { journal, drive: go } = drive({
      scalingPolicy: target(() => 6),
      actuator: {
        apply() {
          throw new Error('forbidden');
        },
      },
    });
    await go(MINUTE);
    expect(journal).toMatchObject([{ outcome: 'failed', detail: 'forbidden' }]);
  });
});

describe('degraded modes', () => {
  it('holds on stale telemetry, never scales in, and recovers', async () => {
    const {
      ports,
      journal,
      drive: go,
    } = drive(
      { scalingPolicy: target((nowMs) => (nowMs >= 10 * MINUTE ? 2 : 4)) },
      undefined,
      (nowMs) => nowMs >= 8 * MINUTE && nowMs < 20 * MINUTE,
    );
    await go(19 * MINUTE);
    expect(ports.applied).toEqual([]);
    expect(journal).toMatchObject([
      { kind: 'degradation', atMs: 10 * MINUTE, what: 'telemetry is stale: everything is held as it is' },
    ]);
    await go(21 * MINUTE);
    expect(journal.slice(1)).toMatchObject([
      { kind: 'recovery', atMs: 20 * MINUTE },
      { kind: 'decision', targetInstances: 2 },
    ]);
  });

  it('holds when telemetry throws', async () => {
    const { ports, drive: go } = drive({
      scalingPolicy: target(() => 9),
      telemetry: {
        snapshot(): FleetSnapshot {
          throw new Error('connection refused');
        },
        demand: () => Promise.reject(new Error('no')),
      },
    });
    expect(await go(MINUTE)).toEqual(["telemetry can't be read (connection refused): everything is held as it is"]);
    expect(ports.applied).toEqual([]);
  });

  it('goes from the last forecast to the fallback to reactive only, one at a time', async () => {
    let broken = false;
    const forecaster: Forecaster = {
      ...constantForecaster(() => 5),
      forecast: (...args) => {
        if (broken) throw new Error('no memory');
        return constantForecaster(() => 5).forecast(...args);
      },
    };
    const naive = constantForecaster(() => 2, 'naive');
    const seen: number[] = [];
    const withFallback = drive(
      {},
      {
        forecaster,
        fallbackForecaster: naive,
        problem: (input) => (seen.push(input.forecasts[0]?.forecast.mean[0] ?? NaN), problem()),
      },
    );
    await withFallback.drive(0);
    broken = true;
    expect(await withFallback.drive(HOUR)).toEqual([
      'the forecast of model-a in region-a failed (no memory); its last forecast stays',
    ]);
    // Two hours were forecast: from then on the last one says nothing of the present.
    expect((await withFallback.drive(2 * HOUR)).at(-1)).toBe(
      'the forecast of model-a in region-a failed (no memory); naive answers',
    );
    expect(seen).toEqual([5, 5, 2]);

    broken = true;
    const alone = drive({}, { forecaster });
    const degradations = await alone.drive(0);
    expect(degradations).toEqual([
      'the forecast of model-a in region-a failed (no memory); no plan takes anything away there',
      'there is no forecast; scaling is reactive only',
    ]);
    expect(alone.ports.applied).toEqual([[0, 3]]);
  });

  it('keeps the last valid plan when the optimiser fails, and drops it when it is old', async () => {
    let broken = false;
    const optimizer: PlacementOptimizer = {
      name: 'fragile',
      solve: (...args) => {
        if (broken) throw new Error('out of time');
        return planFor(() => 7).solve(...args);
      },
    };
    const told: (number | undefined)[] = [];
    const { ports, drive: go, loop } = drive({ onPlan: (plan) => told.push(plan?.validFromMs) }, { optimizer });
    await go(0);
    broken = true;
    expect(await go(3 * HOUR)).toEqual(['no plan could be made: out of time; the last valid plan stays']);
    expect(loop.plan?.validFromMs).toBe(0);
    expect((await go(4 * HOUR)).at(-1)).toBe('no plan could be made: out of time; scaling is reactive only');
    expect(loop.plan).toBeUndefined();
    expect(told).toEqual([0, undefined]);
    expect(ports.applied).toEqual([
      [0, 7],
      [3 * HOUR + MINUTE, 3],
    ]);
  });

  it('takes demand that was never observed for unknown, not for nothing: what is held stays', async () => {
    const problems: PlacementProblem[] = [];
    const unseen = drive(
      {},
      {
        problem: () => problem(),
        optimizer: { name: 'seen', solve: (p) => (problems.push(p), planFor(() => 5).solve(p)) },
      },
    );
    unseen.ports.telemetry.demand = (keys, _since, stepMs) =>
      keys.map((key) => ({
        key,
        startMs: -6 * stepMs,
        stepMs,
        promptTokensPerS: new Float64Array(6).fill(NaN),
        outputTokensPerS: new Float64Array(6).fill(NaN),
        requestsPerS: new Float64Array(6).fill(NaN),
      }));
    expect(await unseen.drive(0)).toEqual([
      'demand of model-a in region-a is not known (nothing was observed); no plan takes anything away there',
      'there is no forecast; scaling is reactive only',
    ]);
    expect(problems).toEqual([]);
  });

  it('tries a plan that could not be made again soon', async () => {
    let tries = 0;
    const { drive: go } = drive(
      {},
      {
        optimizer: {
          name: 'late',
          solve: (...args) => {
            if (++tries < 3) throw new Error('not yet');
            return planFor(() => 5).solve(...args);
          },
        },
      },
    );
    await go(10 * MINUTE);
    expect(tries).toBe(3);
    await go(59 * MINUTE);
    expect(tries).toBe(3);
  });

  it('takes an elastic plan and names what it gives up', async () => {
    const { drive: go, journal } = drive(
      {},
      {
        optimizer: {
          name: 'elastic',
          solve: () => ({
            status: 'infeasible',
            target: one(10),
            objectiveUsd: 0,
            relativeGap: undefined,
            solver: 'elastic',
            shortfall: [{ kind: 'interactive-normal', modelId: modelId('model-a'), amount: 1_234.4, binding: [] }],
          }),
        },
      },
    );
    expect(await go(0)).toEqual(['the plan is elastic: interactive-normal of model-a is short by 1234']);
    expect(journal).toMatchObject([
      { kind: 'degradation' },
      { kind: 'plan', status: 'infeasible', shortfall: [{ amount: 1_234.4 }] },
      { kind: 'decision', targetInstances: 10 },
    ]);
  });

  it('makes a plan that was missed in an outage as soon as it sees again', async () => {
    const { journal, drive: go } = drive({}, {}, (nowMs) => nowMs > 50 * MINUTE && nowMs < 70 * MINUTE);
    await go(2 * HOUR);
    expect(journal.filter((entry) => entry.kind === 'plan').map((entry) => entry.atMs)).toEqual([
      0,
      70 * MINUTE,
      2 * HOUR,
    ]);
  });
});

describe('runControlLoop', () => {
  it('drives the loop by a clock, and makes the same decisions byte for byte as a host that calls it', async () => {
    const script = target((nowMs) => 2 + (Math.floor(nowMs / (7 * MINUTE)) % 5));
    const hosted = drive({ scalingPolicy: script }, {});
    await hosted.drive(90 * MINUTE);
    const live = drive({ scalingPolicy: script }, {});
    const clock = createVirtualClock();
    const end = new AbortController();
    let tickedMs = -1;
    const running = runControlLoop(
      {
        get nextTickAtMs() {
          return live.loop.nextTickAtMs;
        },
        tick: (at) => (live.ports.at(at), live.loop.tick(at, AWAITED)),
      },
      clock,
      { signal: end.signal, onTick: ({ atMs }) => (tickedMs = atMs) },
    );
    // Planning takes turns that the virtual clock does not wait for.
    const ticked = async (atMs: number) => {
      while (tickedMs < atMs) await new Promise((resolve) => setImmediate(resolve));
    };
    await ticked(0);
    for (let minute = 1; minute <= 90; minute++) {
      await clock.advanceMs(MINUTE);
      await ticked(minute * MINUTE);
    }
    end.abort();
    await running;
    const bytes = (journal: readonly JournalEntry[]) => journal.map(journalLine).join('\n');
    expect(bytes(live.journal)).toBe(bytes(hosted.journal));
    expect(live.journal.length).toBeGreaterThan(10);
  });
});

describe('createDryRunActuator', () => {
  for (const check of actuatorConformance(
    () => createDryRunActuator(),
    [{ endpointId: fakeEndpoint().endpointId, targetInstances: 3, reason: 'test' }],
    { takesAny: true },
  ))
    it(check.name, check.run);
});
