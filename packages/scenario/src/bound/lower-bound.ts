import { maxOf, type ModelId, MS_PER_HOUR, MS_PER_MIN } from '@sageserve/core';
import type { Catalogue } from '@sageserve/fleet';
import { DEFAULT_CATALOGUE, parseDurationMs } from '@sageserve/fleet';
import { costOf, type EngineLimits, type Work, workPrices } from '@sageserve/optimize';
import { maxBatchTokensOf, resolveEngine, type SimulationConfig } from '@sageserve/sim';
import type { SkippedRows } from '@sageserve/trace';
import { buildSimulation } from '../build.js';
import { type OnReading, runTraffic } from '../prepare/prepare-run.js';
import type { Scenario } from '../schema.js';
import { type ArrivedWork, arrivedWork } from './arrived-work.js';

/** Windows of time: work may be done in the one in which it comes. */
const WINDOW_MS = 10 * MS_PER_MIN;

/** The least that one model takes. */
export interface ModelBound {
  readonly modelId: ModelId;
  readonly gpuHours: number;
  /** What its floors take of that, used or not. */
  readonly floorGpuHours: number;
}

/** What nothing can hold less than. */
export interface LowerBound {
  /**
   * GPU-hours at equal work. Every iteration is the best mix of prompts and decodes that the engine
   * can have, nothing has to be done before the run ends, instances come and go at once and serve
   * every region that a request may run in; what is left of the engine's model, of causality and of
   * the fleet's floors is true of every strategy.
   */
  readonly gpuHours: number;
  readonly byModel: readonly ModelBound[];
  /**
   * The same for whole instances that are held ten minutes at a time, where interactive requests
   * are served in the ten minutes in which they come: closer to what can be had, and no proof.
   */
  readonly wholeInstanceGpuHours: number;
}

export interface LowerBoundOptions {
  readonly catalogue?: Catalogue;
  readonly skippedRows?: SkippedRows;
  readonly signal?: AbortSignal;
  readonly onReading?: OnReading;
}

/**
 * The lower bound of a scenario's run: a linear program over its engine's own iteration times and
 * memory. Reads its traffic once. Throws as `buildSimulation`.
 */
export async function lowerBound(scenario: Scenario, options: LowerBoundOptions = {}): Promise<LowerBound> {
  const { catalogue = DEFAULT_CATALOGUE, skippedRows, signal, onReading } = options;
  const config = buildSimulation(scenario, 'static', catalogue);
  const hosts = new Map<ModelId, string[]>();
  for (const { model, region } of config.endpoints) {
    const regions = hosts.get(model) ?? [];
    if (!regions.includes(region)) regions.push(region);
    hosts.set(model, regions);
  }
  const memory = new Map(
    [...hosts.keys()].map((model) => [
      model,
      maxOf(config.endpoints.filter((e) => e.model === model).map((e) => e.performance.kvCapacityTokens)),
    ]),
  );
  const trace = await runTraffic(scenario, skippedRows, signal);
  const statedMs = scenario.duration === undefined ? undefined : parseDurationMs(scenario.duration)!;
  const { work, lastArrivalMs } = await arrivedWork(
    trace,
    hosts,
    WINDOW_MS,
    (model, tokens) => tokens <= memory.get(model)!,
    (requests, lastMs) => {
      signal?.throwIfAborted();
      return onReading?.(requests, trace.progress ?? (statedMs === undefined ? undefined : lastMs / statedMs));
    },
  );
  // Capacity is counted so long.
  const durationMs = Math.max(statedMs ?? 0, lastArrivalMs);
  const bounds: (ModelBound & { whole: number })[] = config.models
    .filter((model) => hosts.has(model))
    .map((model) =>
      modelBound(
        model,
        config,
        work.filter((one) => one.model === model),
        durationMs,
      ),
    );
  return {
    gpuHours: bounds.reduce((sum, { gpuHours }) => sum + gpuHours, 0),
    byModel: bounds.map(({ whole: _, ...bound }) => bound),
    wholeInstanceGpuHours: bounds.reduce((sum, { whole }) => sum + whole, 0),
  };
}

function modelBound(
  model: ModelId,
  config: SimulationConfig,
  groups: readonly ArrivedWork[],
  durationMs: number,
): ModelBound & { readonly whole: number } {
  const endpoints = config.endpoints.filter((e) => e.model === model);
  const engine = resolveEngine(config.engine);
  const deployments = new Map<string, EngineLimits>();
  for (const endpoint of endpoints)
    deployments.set(`${endpoint.sku}/${endpoint.gpusPerInstance}`, {
      performance: endpoint.performance,
      gpusPerInstance: endpoint.gpusPerInstance,
      maxBatchTokens: maxBatchTokensOf(endpoint, engine),
      maxBatchRequests: engine.maxBatchRequests,
      chunkedPrefill: engine.chunkedPrefill,
    });
  const total = groups
    .flatMap(({ windows }) => windows.flatMap(({ interactive, deferrable }) => [interactive, deferrable]))
    .reduce<Work>(sumOf, { promptTokens: 0, decodes: 0, contextTokens: 0 });
  const prices =
    total.promptTokens === 0
      ? { promptToken: 0, decode: 0, contextToken: 0 }
      : workPrices(total, [...deployments.values()]);
  const smallest = Math.min(...endpoints.map((e) => e.gpusPerInstance));
  let gpuMs = 0;
  let floorGpuMs = 0;
  let wholeGpuMs = 0;
  const served = new Set<string>();
  const count = Math.ceil(durationMs / WINDOW_MS);
  /** GPU-milliseconds that floors in some regions hold in a window. */
  const floorIn = (regions: readonly string[], w: number): number =>
    endpoints
      .filter(({ region }) => regions.includes(region))
      .reduce(
        (sum, e) =>
          sum +
          e.minInstances *
            e.gpusPerInstance *
            upMs(config, e.region, w * WINDOW_MS, Math.min(durationMs, (w + 1) * WINDOW_MS)),
        0,
      );
  for (const { regions, windows } of groups) {
    for (const region of regions) served.add(region);
    let backlog = 0;
    let wholeBacklog = 0;
    for (let w = 0; w < count; w++) {
      const floor = floorIn(regions, w);
      const interactive = windows[w] === undefined ? 0 : costOf(windows[w]!.interactive, prices);
      const deferrable = windows[w] === undefined ? 0 : costOf(windows[w]!.deferrable, prices);
      floorGpuMs += floor;
      backlog = Math.max(0, backlog + interactive + deferrable - floor);
      const lengthMs = Math.min(durationMs, (w + 1) * WINDOW_MS) - w * WINDOW_MS;
      const held = Math.max(floor, Math.ceil(interactive / (smallest * lengthMs) - 1e-9) * smallest * lengthMs);
      wholeGpuMs += held;
      wholeBacklog = Math.max(0, wholeBacklog + deferrable - (held - interactive));
    }
    gpuMs += backlog;
    wholeGpuMs += wholeBacklog;
  }
  // Floors where nothing asks for the model are held all the same.
  const idle = [...new Set(endpoints.map(({ region }) => region))].filter((region) => !served.has(region));
  for (let w = 0; w < count; w++) {
    const floor = floorIn(idle, w);
    floorGpuMs += floor;
    wholeGpuMs += floor;
  }
  return {
    modelId: model,
    gpuHours: (floorGpuMs + gpuMs) / MS_PER_HOUR,
    floorGpuHours: floorGpuMs / MS_PER_HOUR,
    whole: wholeGpuMs / MS_PER_HOUR,
  };
}

/** How much of a stretch of time a region's floors can be counted on. */
function upMs(config: SimulationConfig, region: string, fromMs: number, untilMs: number): number {
  let upTo = untilMs - fromMs;
  for (const incident of config.incidents ?? []) {
    const takesHosts =
      incident.kind === 'region-outage' || (incident.kind === 'eviction' && incident.target === 'on-demand');
    if (!takesHosts || incident.region !== region) continue;
    const lostMs = incident.kind === 'region-outage' ? incident.durationMs : incident.noticeMs;
    const backAtMs = floorBackAtMs(config, incident.atMs, incident.atMs + lostMs);
    upTo -= Math.max(0, Math.min(untilMs, backAtMs) - Math.max(fromMs, incident.atMs));
  }
  return Math.max(0, upTo);
}

/**
 * When every strategy has asked for its floor again whose hosts were lost from one time to another,
 * and holds it. Where nothing is seen of the fleet, nobody asks.
 */
function floorBackAtMs(
  { incidents = [], scalingIntervalMs = 0 }: SimulationConfig,
  fromMs: number,
  untilMs: number,
): number {
  const withinMs = Math.max(ASKED_WITHIN_MS, 2 * scalingIntervalMs);
  let backAtMs = untilMs + withinMs;
  for (let before = -1; before !== backAtMs;) {
    before = backAtMs;
    for (const dark of incidents) {
      if (dark.kind !== 'telemetry-outage') continue;
      const endMs = dark.atMs + dark.durationMs;
      if (dark.atMs <= backAtMs && endMs >= fromMs) backAtMs = Math.max(backAtMs, endMs + withinMs);
    }
  }
  return backAtMs;
}

/** Strategies look at the fleet at least this often. */
const ASKED_WITHIN_MS = MS_PER_HOUR;

function sumOf(a: Work, b: Work): Work {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    decodes: a.decodes + b.decodes,
    contextTokens: a.contextTokens + b.contextTokens,
  };
}
