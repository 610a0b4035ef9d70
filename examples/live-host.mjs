// @ts-check
/**
 * A live host in a page: HTTP backends that are timers, in two regions for two models, and the same
 * routers, release, scaling, loop, state and journal that a simulation runs. It is no product: no
 * streaming, no retries, no authentication. It shows what a host has to do, and that the interfaces of
 * `@sageserve/core` suffice for it.
 */
import { appendFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createFileStateStore } from '@sageserve/adapters/state';
import { createControlLoop, journalLine, runControlLoop } from '@sageserve/controller';
import { endpointId, modelId, regionId, skuId, WORKLOAD_TIERS } from '@sageserve/core';
import {
  createHeadroomRelease,
  createLeastOutstandingTokensRouter,
  createUtilizationOverflow,
  createUtilizationRouter,
} from '@sageserve/routing';
import { createReactiveScaling } from '@sageserve/scaling';
import { createFleetDispatch, createFleetViews } from '@sageserve/views';

/** @import { ActuationResult, Actuator, Clock, FleetSnapshot, RequestView, TelemetrySource } from '@sageserve/core' */
/** @typedef {{ id: string, url: string, isReady: boolean, running: number, close(): Promise<void> }} Instance */
/** @typedef {{ status: 'completed' | 'rejected' | 'failed', servedBy?: string }} Outcome */
/** @typedef {{ view: RequestView, allowed: ReadonlySet<number> | undefined, settle(outcome: Outcome): void }} Asked */

const REGIONS = ['eastus', 'westus'].map(regionId);
const MODELS = ['large', 'small'].map(modelId);
const SKU = skuId('timer');
const KV_CAPACITY = 10_000;
const READ_EVERY_MS = 50;

/** One backend: a request takes as long as its prompt is, and it says how full it is.
 * @param {string} id @returns {Promise<Instance>} */
async function startInstance(id) {
  let kvTokens = 0;
  const server = createServer((request, response) => {
    if (request.url === '/metrics')
      return void response.end(JSON.stringify({ kv: kvTokens / KV_CAPACITY, outstanding: kvTokens }));
    const tokens = Number(request.headers['x-prompt-tokens']);
    kvTokens += tokens;
    setTimeout(
      () => {
        kvTokens -= tokens;
        response.end(id);
      },
      20 + tokens / 20,
    );
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = () => new Promise((done) => (server.close(() => done(undefined)), server.closeIdleConnections()));
  return {
    id,
    url: `http://127.0.0.1:${port}`,
    isReady: true,
    running: 0,
    close: /** @type {() => Promise<void>} */ (close),
  };
}

/** Starts two instances for each model and region, and the loop that scales them.
 * @param {{ folder: string, clock: Clock }} options folder for state and journal */
export async function startLiveHost({ folder, clock }) {
  const views = createFleetViews({
    regions: REGIONS,
    networkRttMs: [
      [0, 60],
      [60, 0],
    ],
  });
  const pools = REGIONS.flatMap((region) =>
    MODELS.map((model) => ({
      key: endpointId(region, model, SKU),
      modelId: model,
      regionId: region,
      tiers: WORKLOAD_TIERS,
    })),
  );
  views.setPools(pools, clock.nowMs());
  /** @type {Map<string, Instance[]>} */
  const instances = new Map(pools.map(({ key }) => [key, []]));
  // Who goes where and when: the steps that a simulation takes too, and the policies that they ask.
  const dispatch = createFleetDispatch({
    views,
    policies: {
      regionRouter: createUtilizationRouter(),
      overflow: createUtilizationOverflow(),
      instanceRouter: createLeastOutstandingTokensRouter(),
      release: createHeadroomRelease(),
    },
    start: (/** @type {Asked} */ asked, { poolKey, instanceId }) => void send(asked, poolKey, instanceId),
    reject: (/** @type {Asked} */ asked) => asked.settle({ status: 'rejected' }),
  });
  let made = 0;
  const publish = (/** @type {string} */ key) => {
    const specs = instances
      .get(key)
      ?.map(({ id, isReady }) => ({ instanceId: id, isReady, kvCapacityTokens: KV_CAPACITY }));
    views.setInstances(key, specs ?? [], clock.nowMs());
    dispatch.refresh(clock.nowMs());
  };
  const scaleTo = async (/** @type {string} */ key, /** @type {number} */ count) => {
    const pool = instances.get(key) ?? [];
    for (let ready = pool.filter((one) => one.isReady).length; ready < count; ready++)
      pool.push(await startInstance(`${key}#${made++}`));
    // The least busy go first; each is closed when it has nothing left.
    for (const one of pool
      .filter(({ isReady }) => isReady)
      .sort((a, b) => a.running - b.running)
      .slice(0, -count || undefined))
      one.isReady = false;
    publish(key);
    await sweep(key);
  };
  const sweep = async (/** @type {string} */ key) => {
    const pool = instances.get(key) ?? [];
    for (const one of pool.filter(({ isReady, running }) => !isReady && running === 0)) {
      pool.splice(pool.indexOf(one), 1);
      publish(key);
      await one.close();
    }
  };
  for (const { key } of pools) await scaleTo(key, 2);

  /** Sends a request to its instance and says what became of it.
   * @param {Asked} asked @param {string} key @param {string} instanceId */
  async function send(asked, key, instanceId) {
    const target = instances.get(key)?.find(({ id }) => id === instanceId);
    /** @type {Outcome} */
    let outcome = { status: 'failed' };
    if (target !== undefined) target.running++;
    try {
      const headers = { 'x-prompt-tokens': String(asked.view.promptTokens) };
      outcome = { status: 'completed', servedBy: await (await fetch(target?.url ?? '', { headers })).text() };
    } catch {
      // A gateway would try another instance: dispatch.retry().
    }
    if (target !== undefined) target.running--;
    dispatch.ended(asked, clock.nowMs());
    asked.settle(outcome);
    await sweep(key);
  }

  /** @type {TelemetrySource} */
  const telemetry = {
    snapshot() {
      const nowMs = clock.nowMs();
      const endpoints = pools.map(({ key, modelId: model, regionId: region, tiers }) => {
        const { kvCacheUtilization, queuedTokens, ageMs } = views.loadOf(key, nowMs);
        const pool = instances.get(key) ?? [];
        const ready = pool.filter(({ isReady }) => isReady).length;
        return {
          endpointId: key,
          modelId: model,
          regionId: region,
          skuId: SKU,
          pool: 'shared',
          tiers,
          gpusPerInstance: 1,
          minInstances: 1,
          maxInstances: 6,
          observedAtMs: nowMs - ageMs,
          readyInstances: ready,
          provisioningInstances: 0,
          drainingInstances: pool.length - ready,
          kvCacheUtilization,
          queuedRequests: dispatch.waitingCount(key),
          queuedTokens,
          runningRequests: pool.reduce((sum, { running }) => sum + running, 0),
          demandTokensPerS: undefined,
        };
      });
      return /** @type {FleetSnapshot} */ ({ takenAtMs: nowMs, endpoints });
    },
    // Nothing is forecast here: nothing was observed.
    demand: (keys, sinceMs, stepMs) =>
      keys.map((key) => ({
        key,
        startMs: sinceMs,
        stepMs,
        promptTokensPerS: Float64Array.of(NaN),
        outputTokensPerS: Float64Array.of(NaN),
        requestsPerS: Float64Array.of(NaN),
      })),
  };
  /** @type {Map<string, number>} */
  const fences = new Map();
  /** @type {Actuator} */
  const actuator = {
    apply: (decisions, options) =>
      Promise.all(
        decisions.map(async ({ endpointId: id, targetInstances }) => {
          const pool = instances.get(id);
          /** @type {(status: ActuationResult['status'], reached?: number, detail?: string) => ActuationResult} */
          const say = (status, reachedInstances, detail) => ({ endpointId: id, status, reachedInstances, detail });
          if (pool === undefined) return say('failed', undefined, 'there is no such endpoint');
          const newest = fences.get(id) ?? -Infinity;
          if ((options?.fence ?? newest) < newest) return say('refused', undefined, `fence ${newest} has acted`);
          fences.set(id, options?.fence ?? newest);
          if (pool.filter(({ isReady }) => isReady).length === targetInstances)
            return say('unchanged', targetInstances);
          await scaleTo(id, targetInstances);
          return say('applied', targetInstances);
        }),
      ),
  };

  const end = new AbortController();
  const state = createFileStateStore({ folder: join(folder, 'state') });
  const loop = createControlLoop({
    telemetry,
    actuator,
    state,
    cadences: { reactMs: 100 },
    scalingPolicy: createReactiveScaling({ cooldownMs: 200 }),
    journal: { append: (entry) => appendFile(join(folder, 'journal.jsonl'), `${journalLine(entry)}\n`) },
  });
  const reading = (async () => {
    while (!end.signal.aborted) {
      for (const { id, url } of [...instances.values()].flat()) {
        const readAtMs = clock.nowMs();
        const said = await fetch(`${url}/metrics`).then(
          async (answer) => /** @type {{ kv: number, outstanding: number }} */ (await answer.json()),
          () => undefined,
        );
        // What could not be read grows old; it is not a reading of nothing.
        if (said === undefined) continue;
        const reading = { kvCacheUtilization: said.kv, queuedRequests: undefined, outstandingTokens: said.outstanding };
        views.read(id, reading, readAtMs);
      }
      dispatch.refresh(clock.nowMs());
      dispatch.tick(clock.nowMs());
      await clock.sleepUntilMs(clock.nowMs() + READ_EVERY_MS, end.signal).catch(() => undefined);
    }
  })();
  const running = runControlLoop(loop, clock, { signal: end.signal });

  return {
    views,
    telemetry,
    actuator,
    state,
    /** @param {RequestView} view @param {ReadonlySet<number>} [allowed] regions that it may go to @returns {Promise<Outcome>} */
    submit: (view, allowed) =>
      new Promise((settle) => {
        dispatch.arrive({ view, allowed, settle }, clock.nowMs());
      }),
    async close() {
      end.abort();
      await Promise.all([running, reading]);
      await Promise.all([...instances.values()].flat().map((one) => one.close()));
    },
  };
}
