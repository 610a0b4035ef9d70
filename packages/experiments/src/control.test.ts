import { createVirtualClock } from '@sageserve/testing';
import { type ControlLoop, type DemandSeries, type FleetSnapshot, modelId, regionId } from '@sageserve/core';
import {
  createControlLoop,
  createDryRunActuator,
  type JournalEntry,
  journalLine,
  runControlLoop,
} from '@sageserve/controller';
import type { PolicyChoice } from '@sageserve/fleet';
import { simulate } from '@sageserve/sim';
import { cutTrace, type RequestBatch } from '@sageserve/trace';
import { describe, expect, it } from 'vitest';
import {
  buildSimulation,
  buildTraffic,
  createForesightForecaster,
  demandAround,
  measureCapacity,
  parseScenario,
  prepareRun,
  runTraffic,
} from '@sageserve/scenario';
import { compareStrategies } from './compare/run-comparison.js';

const HOUR = 3_600_000;
const scenario = parseScenario({
  name: 'control',
  duration: '3h',
  history: '1d',
  traffic: { requestsPerDay: 3_000_000, startHourOfWeek: 33 },
  regions: [
    { name: 'eastus', share: 0.6, gpus: { 'a100-80gb': 10 } },
    { name: 'westus', share: 0.4, gpus: { 'a100-80gb': 10 } },
  ],
  skus: [{ name: 'a100-80gb', usdPerGpuHour: 4.1 }],
  models: [
    {
      name: 'llama-3.1-8b',
      deployments: [
        {
          sku: 'a100-80gb',
          gpusPerInstance: 1,
          minInstances: 1,
          initialInstances: 3,
          initialSpotInstances: 7,
          maxInstances: 10,
        },
      ],
    },
  ],
});

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
// What several tests need of the scenario is made once.
const beforeRun = once(() => demandAround(scenario, false));
const carried = once(() => measureCapacity(scenario, buildSimulation(scenario, 'static')));

describe('history', () => {
  it('ends where the run begins, and is of the same process', async () => {
    const { history } = await beforeRun();
    expect(history).toHaveLength(2);
    const trace = await runTraffic(scenario);
    for (const series of history) {
      expect(series.promptTokensPerS).toHaveLength(144);
      expect(series.startMs + 24 * HOUR).toBe(trace.startEpochMs);
    }
    // The last hour of history and the first of the run differ by what an hour of a morning and
    // noise make, not by a fresh start.
    let tokens = 0;
    for await (const batch of trace.batches()) {
      for (let i = 0; i < batch.length && batch.arrivedAtMs[i]! < HOUR; i++)
        if (batch.tier[i] !== 2) tokens += batch.promptTokens[i]!;
    }
    const before = history.reduce(
      (sum, { promptTokensPerS }) => sum + promptTokensPerS.slice(-6).reduce((a, b) => a + b, 0) * 600,
      0,
    );
    expect(tokens / before).toBeGreaterThan(0.7);
    expect(tokens / before).toBeLessThan(1.4);
  });

  it('of a trace is its first part, which is not run', async () => {
    const { writeFile, mkdtemp, rm } = await import('node:fs/promises');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
    const dir = await mkdtemp(join(tmpdir(), 'sageserve-history-'));
    try {
      const file = join(dir, 'trace.csv');
      const rows = Array.from({ length: 300 }, (_, i) => `${i * 60},${i < 120 ? 600 : 60},10`);
      await writeFile(file, `arrived_at_s,prompt_tokens,output_tokens\n${rows.join('\n')}\n`);
      const traced = parseScenario({
        ...scenario,
        duration: '2h',
        history: '2h',
        traffic: { trace: file, tiers: { 'interactive-fast': 1 } },
      });
      const { history } = await demandAround(traced, false);
      expect(
        history.reduce((sum, { promptTokensPerS }) => sum + promptTokensPerS.reduce((a, b) => a + b, 0), 0) / 12,
      ).toBeCloseTo(10, 6);
      const arrivals: number[] = [];
      for await (const batch of (await runTraffic(traced)).batches())
        for (let i = 0; i < batch.length; i++) arrivals.push(batch.arrivedAtMs[i]!);
      expect([arrivals.length, arrivals[0], arrivals.at(-1)]).toEqual([120, 0, 119 * 60_000]);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('measured capacity', () => {
  it('is the largest load at which every tier meets its objective, and less for a stricter one', async () => {
    const measure = async (ttft: string) =>
      (
        await measureCapacity(
          { ...scenario },
          {
            ...buildSimulation(parseScenario({ ...scenario, objectives: { 'interactive-fast': { ttft } } }), 'static'),
          },
        )
      ).get('llama-3.1-8b/a100-80gb/1')!;
    const usual = await measure('2s');
    const strict = await measure('600ms');
    expect(usual.throughputShare).toBeGreaterThan(strict.throughputShare);
    expect(usual.throughputShare).toBeLessThanOrEqual(1);
    expect(usual.kvCacheUtilization).toBeGreaterThan(0);
    expect(usual.kvCacheUtilization).toBeLessThan(1);
  });
});

describe('foresight', () => {
  it('says what will come, in the run’s own buckets', async () => {
    const { history, foresight } = await demandAround(scenario, true);
    const forecast = await createForesightForecaster(foresight!).forecast(history[0]!, 6, { quantileLevels: [0.9] });
    const truth = foresight!.find(({ key }) => key.regionId === history[0]!.key.regionId)!;
    expect(forecast.startMs).toBe(truth.startMs);
    for (let h = 0; h < 6; h++)
      expect(forecast.mean[h]).toBeCloseTo(truth.promptTokensPerS[h]! + truth.outputTokensPerS[h]!, 6);
  });
});

describe('no strategy but the oracle sees the future', () => {
  it('decides the same up to a time, whatever comes after it', async () => {
    const { history } = await beforeRun();
    const capacity = await carried();
    const cutMs = 100 * 60_000;
    const durationMs = cutMs + 600_000;
    const trace = await buildTraffic({ ...scenario, traffic: { ...scenario.traffic, warmup: scenario.history } });
    const read: RequestBatch[] = [];
    for await (const batch of cutTrace(trace, durationMs).batches()) read.push(structuredClone(batch));
    const run = async (strategy: PolicyChoice, tripled: boolean): Promise<string> => {
      const journal: JournalEntry[] = [];
      const { config } = await prepareRun(scenario, strategy, {
        demand: { history, foresight: undefined },
        capacity,
        journal: (entry) => journal.push(entry),
      });
      const changed = {
        ...trace,
        dictionaries: trace.dictionaries,
        async *batches() {
          for (const batch of structuredClone(read)) {
            // From the cut on every prompt is three times as long.
            if (tripled)
              for (let i = 0; i < batch.length; i++) if (batch.arrivedAtMs[i]! >= cutMs) batch.promptTokens[i]! *= 3;
            yield batch;
          }
        },
      };
      await simulate({ ...config, durationMs }, changed);
      return journal
        .filter(({ atMs }) => atMs < cutMs)
        .map(journalLine)
        .join('\n');
    };
    // Of all memory the model uses too little for the paper's thresholds to have them act.
    const measured = (name: string): PolicyChoice => ({ name, measured: true });
    for (const strategy of ['lt-i', measured('lt-u'), measured('lt-ua'), 'sage']) {
      const one = await run(strategy, false);
      expect(one.split('\n').length).toBeGreaterThan(2);
      expect(await run(strategy, true)).toBe(one);
    }
  });
});

describe('one loop, two hosts', () => {
  it('decides the same, byte for byte, in the simulator and by a clock from the snapshots that the simulator gave', async () => {
    const journal: JournalEntry[] = [];
    const snapshots = new Map<number, FleetSnapshot>();
    const demand = new Map<string, DemandSeries>();
    const around = await beforeRun();
    const capacity = await carried();
    const prepared = await prepareRun(scenario, 'sage', {
      demand: around,
      capacity,
      journal: (entry) => journal.push(entry),
    });
    let nowMs = 0;
    const simulated = prepared.config.control!;
    await simulate(
      {
        ...prepared.config,
        control(ports) {
          const loop = simulated({
            ...ports,
            telemetry: {
              async snapshot() {
                const live = await ports.telemetry.snapshot();
                snapshots.set(
                  nowMs,
                  structuredClone({
                    ...live,
                    endpoints: live.endpoints.map((e) => ({ ...e })),
                    capacity: live.capacity!.map((c) => ({ ...c })),
                    demand: live.demand!.map((d) => ({ ...d })),
                    backlog: live.backlog!.map((b) => ({ ...b })),
                  }),
                );
                return live;
              },
              async demand(keys, sinceMs, stepMs) {
                const all = await ports.telemetry.demand(keys, sinceMs, stepMs);
                for (const series of all) demand.set(`${nowMs}/${series.key.modelId}/${series.key.regionId}`, series);
                return all;
              },
            },
          });
          return {
            get nextTickAtMs() {
              return loop.nextTickAtMs;
            },
            tick(atMs, options) {
              nowMs = atMs;
              return loop.tick(atMs, options);
            },
          };
        },
      },
      prepared.trace,
    );
    // The live host: the same kind of loop, another instance, its own clock, an actuator that
    // answers as the fleet did.
    const again: JournalEntry[] = [];
    const live = await prepareRun(scenario, 'sage', {
      demand: around,
      capacity,
      journal: (entry) => again.push(entry),
    });
    const clock = createVirtualClock();
    const outcomes = journal.flatMap((entry) => (entry.kind === 'decision' ? [entry] : []));
    let answered = 0;
    const decided = live.config.control!({
      telemetry: {
        snapshot: () => snapshots.get(clock.nowMs())!,
        demand: (keys) => keys.map(({ modelId, regionId }) => demand.get(`${clock.nowMs()}/${modelId}/${regionId}`)!),
      },
      actuator: {
        apply: (decisions) =>
          decisions.map(({ endpointId }) => {
            const { outcome, reachedInstances, detail } = outcomes[answered++]!;
            return { endpointId, status: outcome as 'applied', reachedInstances, detail };
          }),
      },
    });
    // The clock stands still while a plan is made.
    const loop: ControlLoop = {
      get nextTickAtMs() {
        return decided.nextTickAtMs;
      },
      tick: (atMs, options) => decided.tick(atMs, { ...options, awaitPlan: true }),
    };
    const end = new AbortController();
    let tickedMs = -1;
    const running = runControlLoop(loop, clock, { signal: end.signal, onTick: ({ atMs }) => (tickedMs = atMs) });
    // A tick that forecasts and plans takes as many turns of the event loop as it takes.
    const ticked = async (atMs: number) => {
      while (tickedMs < atMs) await new Promise((resolve) => setImmediate(resolve));
    };
    await ticked(0);
    const last = Math.max(...snapshots.keys());
    for (let atMs = 1_000; atMs <= last; atMs += 1_000) {
      await clock.advanceMs(1_000);
      await ticked(atMs);
    }
    end.abort();
    await running;
    expect(again.map(journalLine).join('\n')).toBe(journal.map(journalLine).join('\n'));
    expect(outcomes.length).toBeGreaterThan(5);
  });

  it('advises without touching the fleet, through the dry-run actuator', async () => {
    const told: number[] = [];
    const { config, trace } = await prepareRun(scenario, 'static', { demand: { history: [], foresight: undefined } });
    const result = await simulate(
      {
        ...config,
        control: ({ telemetry }) =>
          createControlLoop({
            telemetry,
            actuator: createDryRunActuator(),
            scalingPolicy: {
              name: 'all',
              decide: (fleet) =>
                fleet.endpoints.map((e) => ({ endpointId: e.endpointId, targetInstances: 9, reason: 'x' })),
            },
            cadences: { reactMs: 60_000 },
            journal: {
              append(entry) {
                if (entry.kind === 'decision') told.push(entry.targetInstances);
              },
            },
          }),
      },
      trace,
    );
    expect(result.actions.scaleOut).toBe(0);
    expect(new Set(told)).toEqual(new Set([9]));
  });
});

describe('compareStrategies', () => {
  it('gives strategies the same requests, and the same bytes for the same seed', async () => {
    const short = { ...scenario, duration: '30m' };
    const once = () => compareStrategies(short, ['reactive', 'sage'], [7]);
    const [first, second] = [await once(), await once()];
    expect(JSON.stringify(first)).toBe(JSON.stringify(second));
    expect(first[0]!.result.total.arrived).toBe(first[1]!.result.total.arrived);
    expect(first[1]!.forecastWape).toBeGreaterThan(0);
    expect([modelId('llama-3.1-8b'), regionId('eastus')]).toEqual([
      first[0]!.result.byGroup[0]!.modelId,
      first[0]!.result.byGroup[0]!.originRegion,
    ]);
  });
});
