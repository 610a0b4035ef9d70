import {
  type Actuator,
  type Awaitable,
  type ControlLoop,
  type DemandKey,
  modelId,
  regionId,
  type ScalingDecision,
  type TelemetrySource,
} from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';

/** Demand that a telemetry source is to be asked for. */
export interface DemandQuestion {
  /** Keys that the source knows, two or more. */
  readonly keys: readonly DemandKey[];
  readonly sinceMs: number;
  readonly stepMs: number;
}

/**
 * What every telemetry source must do. `question` is one for demand that it has seen at least one
 * bucket of; a source that knows no demand is not asked.
 */
export function telemetrySourceConformance(
  create: () => Awaitable<TelemetrySource>,
  question?: DemandQuestion,
): ConformanceCase[] {
  return [
    {
      name: 'gives snapshots without NaN, with shares from 0 up and counts that are whole',
      async run() {
        const snapshot = await (await create()).snapshot();
        expect(Number.isFinite(snapshot.takenAtMs), 'does not say when the snapshot was taken');
        const ids = new Set(snapshot.endpoints.map((e) => e.endpointId));
        expect(ids.size === snapshot.endpoints.length, 'lists an endpoint twice');
        for (const e of snapshot.endpoints) {
          for (const count of [e.readyInstances, e.provisioningInstances, e.drainingInstances])
            expect(
              count === undefined || (Number.isInteger(count) && count >= 0),
              `${e.endpointId} has ${count} instances`,
            );
          for (const value of [
            e.kvCacheUtilization,
            e.queuedRequests,
            e.queuedTokens,
            e.runningRequests,
            e.demandTokensPerS,
          ])
            expect(
              value === undefined || (Number.isFinite(value) && value >= 0),
              `${e.endpointId} reports ${value}; what is unknown must be undefined`,
            );
          const { observedAtMs } = e;
          expect(
            observedAtMs === undefined || observedAtMs <= snapshot.takenAtMs,
            `${e.endpointId} was read at ${observedAtMs}, after the snapshot was taken at ${snapshot.takenAtMs}`,
          );
          for (const { way, count, medianMs, upperMs } of e.provisioningDelays ?? [])
            expect(
              Number.isInteger(count) && count >= 1 && medianMs >= 0 && upperMs >= medianMs && upperMs < Infinity,
              `${e.endpointId} was had by ${way} ${count} times, within ${medianMs} ms in half of them, ${upperMs} in most`,
            );
        }
        for (const { regionId: region, gpuCapacity, gpusInUse } of snapshot.capacity ?? [])
          for (const gpus of [gpuCapacity, gpusInUse])
            expect(gpus === undefined || (Number.isFinite(gpus) && gpus >= 0), `${region} has ${gpus} GPUs`);
      },
    },
    {
      name: 'ends a call whose signal has aborted',
      async run() {
        const source = await create();
        const signal = AbortSignal.abort(new Error('enough'));
        // It may have what is asked for at hand: then it answers.
        await Promise.resolve(source.snapshot({ signal })).catch(() => undefined);
        if (question === undefined) return;
        const { keys, sinceMs, stepMs } = question;
        await Promise.resolve(source.demand(keys, sinceMs, stepMs, { signal })).catch(() => undefined);
      },
    },
    ...(question === undefined ? [] : demandCases(create, question)),
  ];
}

function demandCases(create: () => Awaitable<TelemetrySource>, question: DemandQuestion): ConformanceCase[] {
  const { keys, sinceMs, stepMs } = question;
  return [
    {
      name: 'gives one series for each key, in their order, in the buckets that were asked for',
      async run() {
        const source = await create();
        const all = await source.demand(keys, sinceMs, stepMs);
        expect(all.length === keys.length, `gave ${all.length} series for ${keys.length} keys`);
        for (const [i, series] of all.entries()) {
          const name = `the series of ${keys[i]!.modelId} in ${keys[i]!.regionId}`;
          const { key, promptTokensPerS, outputTokensPerS, requestsPerS } = series;
          expect(key.modelId === keys[i]!.modelId && key.regionId === keys[i]!.regionId, `${name} is of another key`);
          expect(series.stepMs === stepMs, `${name} has buckets of ${series.stepMs} ms, not of ${stepMs}`);
          const isAligned = Number.isInteger((series.startMs - all[0]!.startMs) / stepMs);
          expect(isAligned, `${name} begins at ${series.startMs}, between the buckets of the others`);
          const lengths = [promptTokensPerS, outputTokensPerS, requestsPerS].map((column) => column.length);
          expect(new Set(lengths).size === 1, `${name} has columns of ${lengths.join(', ')} buckets`);
          for (let t = 0; t < promptTokensPerS.length; t++) {
            const values = [promptTokensPerS[t]!, outputTokensPerS[t]!, requestsPerS[t]!];
            const isSound = values.every((value) => value >= 0 && value < Infinity) || values.every(Number.isNaN);
            expect(isSound, `${name} has ${values.join(', ')} in one bucket: it is NaN in all columns or in none`);
          }
        }
        const some = all.some(({ requestsPerS }) => requestsPerS.some((value) => value >= 0));
        expect(some, 'has observed no bucket of any series');
        const [last] = await source.demand([keys.at(-1)!], sinceMs, stepMs);
        expect(last!.key.modelId === keys.at(-1)!.modelId, 'answers a question for one key with another');
        expect(
          (await source.demand([], sinceMs, stepMs)).length === 0,
          'answers a question for nothing with something',
        );
      },
    },
    {
      name: 'answers for what it does not know with nothing observed, and for the rest as ever',
      async run() {
        const unknown: DemandKey = { modelId: modelId('no-such-model'), regionId: regionId('no-such-region') };
        const [first, other] = await (await create()).demand([keys[0]!, unknown], sinceMs, stepMs);
        expect(
          first!.requestsPerS.some((value) => value >= 0),
          'lost a series for the sake of one that is not known',
        );
        expect(other!.requestsPerS.every(Number.isNaN), 'observed a model that does not exist');
      },
    },
  ];
}

const byEndpoint = async (results: ReturnType<Actuator['apply']>): Promise<Map<string, string>> =>
  new Map((await results).map(({ endpointId, status }) => [endpointId, status]));

/**
 * What every actuator must do. `decisions` are ones that it can carry out; each call of `create`
 * gives one on a fleet that is as before. `takesAny` for one that knows no fleet, such as a dry
 * run.
 */
export function actuatorConformance(
  create: () => Awaitable<Actuator>,
  decisions: readonly ScalingDecision[],
  options: { readonly takesAny?: boolean } = {},
): ConformanceCase[] {
  return [
    {
      name: 'answers every decision once, and changes nothing when told the same again',
      async run() {
        const actuator = await create();
        const first = await actuator.apply(decisions);
        expect(first.length === decisions.length, `answered ${first.length} of ${decisions.length} decisions`);
        for (const { reachedInstances } of first)
          expect(
            reachedInstances === undefined || (Number.isInteger(reachedInstances) && reachedInstances >= 0),
            `reached ${reachedInstances} instances; what is not known must be undefined`,
          );
        const second = await actuator.apply(decisions);
        for (const result of second)
          expect(result.status === 'unchanged', `${result.endpointId} was ${result.status} by a repeated decision`);
      },
    },
    ...(options.takesAny === true ? [] : [besideOneThatFails(create, decisions)]),
    {
      name: 'refuses an older fence, and changes nothing then',
      async run() {
        const actuator = await create();
        await actuator.apply(decisions, { fence: 5 });
        const other = decisions.map((decision) => ({ ...decision, targetInstances: decision.targetInstances + 1 }));
        const refused = await byEndpoint(actuator.apply(other, { fence: 4 }));
        for (const [endpointId, status] of refused)
          expect(status === 'refused', `${endpointId} was ${status} under an older fence`);
        const again = await byEndpoint(actuator.apply(decisions, { fence: 5 }));
        for (const [endpointId, status] of again)
          expect(status === 'unchanged', `${endpointId} was ${status}: an older fence had changed it`);
        await actuator.apply(decisions, { fence: 6 });
      },
    },
  ];
}

function besideOneThatFails(create: () => Awaitable<Actuator>, decisions: readonly ScalingDecision[]): ConformanceCase {
  return {
    name: 'carries out the rest where one can’t be, of which it does not say that it reached nothing',
    async run() {
      const actuator = await create();
      const odd = {
        endpointId: 'no/such/endpoint' as ScalingDecision['endpointId'],
        targetInstances: 1,
        reason: 'x',
      };
      const results = await actuator.apply([odd, ...decisions]);
      const failed = results.find(({ endpointId }) => endpointId === odd.endpointId);
      expect(failed?.status === 'failed', `an endpoint that does not exist was ${failed?.status ?? 'passed over'}`);
      expect(failed.reachedInstances === undefined, `it reached ${failed.reachedInstances} instances`);
      expect((failed.detail ?? '') !== '', 'it does not say why');
      const again = await byEndpoint(actuator.apply(decisions));
      for (const { endpointId } of decisions)
        expect(again.get(endpointId) === 'unchanged', `${endpointId} was not carried out beside one that failed`);
    },
  };
}

/** What every control loop must do. */
export function controlLoopConformance(create: () => ControlLoop): ConformanceCase[] {
  return [
    {
      name: 'reports each tick at its time and asks for a later one',
      async run() {
        const loop = create();
        let at = loop.nextTickAtMs;
        for (let tick = 0; tick < 5; tick++) {
          const report = await loop.tick(at);
          expect(report.atMs === at, `reported ${report.atMs} for a tick at ${at}`);
          expect(loop.nextTickAtMs > at, 'asked for no later tick');
          at = loop.nextTickAtMs;
        }
      },
    },
  ];
}
