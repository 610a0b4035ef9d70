import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  buildSimulation,
  buildTraffic,
  createRng,
  demandAround,
  IndexedMinHeap,
  prepareRun,
  preset,
  type Scenario,
  simulate,
} from 'sageserve';
import { RunPool, trafficAhead, trafficPays } from '@sageserve/experiments';
import { yieldToEventLoop } from '@sageserve/experiments/console';
import { cpuSeconds, type Figure, median, peakMemoryMb } from './measure.js';
import { clockSeconds } from './wall-clock.js';

const ROUNDS = 3;
const REQUESTS_PER_DAY = 10_000_000;
/** Instances of the paper's fleet. */
const FLEET = 240;

interface Run {
  readonly requests: number;
  readonly requestsPerCpuS: number;
  readonly peakMemoryMb: number;
}

interface ControlledRun extends Run {
  /**
   * On the clock, with what comes before the simulation: three days of history and the capacity of
   * an instance.
   */
  readonly seconds: number;
}

/** The paper's fleet and load, both scaled to `instances`, for about `requests` requests. */
function scenarioOf(instances: number, requests: number): Scenario {
  const base = preset('paper-week');
  const scale = instances / FLEET;
  const perDay = REQUESTS_PER_DAY * scale;
  return {
    ...base,
    // Monday has 13 % more than the mean day.
    duration: `${Math.max(60, Math.round((requests / (perDay * 1.13)) * 86_400))}s`,
    traffic: { ...base.traffic, requestsPerDay: perDay },
    regions: base.regions.map((r) => ({
      ...r,
      gpus: Object.fromEntries(Object.entries(r.gpus).map(([sku, gpus]) => [sku, gpus * scale])),
    })),
    models: base.models.map((m) => ({
      ...m,
      deployments: m.deployments.map((d) => ({
        ...d,
        initialInstances: Math.ceil((d.initialInstances ?? d.maxInstances) * scale),
        initialSpotInstances: Math.floor((d.initialSpotInstances ?? 0) * scale),
        maxInstances: d.maxInstances * scale,
      })),
    })),
  };
}

/**
 * Thresholds at which the fleet serves what comes. At those of the preset, a share of all memory, a
 * model whose throughput ends at a third of it queues for hours: that would measure queues.
 */
export const REACTIVE = { name: 'reactive', scaleOutAbove: 0.24, scaleInBelow: 0.11 };

/** One run in this process: what the child processes of {@link benchSim} do. Prints JSON. */
export async function runOnce(instances: number, requests: number): Promise<void> {
  const scenario = scenarioOf(instances, requests);
  const start = cpuSeconds();
  const result = await simulate(buildSimulation(scenario, REACTIVE), await buildTraffic(scenario));
  const seconds = cpuSeconds() - start;
  if (result.total.unfinished > 0) throw new Error(`${result.total.unfinished} requests are unfinished`);
  console.log(
    JSON.stringify({
      requests: result.total.arrived,
      requestsPerCpuS: result.total.arrived / seconds,
      peakMemoryMb: peakMemoryMb(),
    } satisfies Run),
  );
}

/** A day of the paper's fleet under full control, in this process. Prints JSON. */
export async function runControlled(): Promise<void> {
  const start = clockSeconds();
  const scenario = preset('paper-day');
  // As the command does: beside one another.
  const pool = await RunPool.open<string>(1);
  const { signal } = new AbortController();
  const [demand, { answer: capacity }] = await Promise.all([
    // Whoever is on the thread is heard in between.
    demandAround(scenario, false, { onReading: () => yieldToEventLoop() }),
    pool.run('capacity', { kind: 'capacity', scenario, file: undefined }, signal),
  ]);
  const cpuStart = cpuSeconds();
  const { config, trace } = await prepareRun(scenario, 'sage', { demand, capacity });
  const ahead = trafficPays(scenario, config.durationMs)
    ? trafficAhead(pool, scenario, undefined, trace, signal)
    : trace;
  const { total } = await simulate(config, ahead);
  const cpu = cpuSeconds() - cpuStart;
  await pool.close();
  if (total.unfinished > 0) throw new Error(`${total.unfinished} requests are unfinished`);
  const run: ControlledRun = {
    requests: total.arrived,
    requestsPerCpuS: total.arrived / cpu,
    seconds: clockSeconds() - start,
    peakMemoryMb: peakMemoryMb(),
  };
  console.log(JSON.stringify(run));
}

/** What a run in a fresh process prints: memory and compiled code are its own. */
function inOwnProcess(args: readonly string[]): unknown {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout);
}

function measure(instances: number, requests: number): Run {
  return inOwnProcess(['--run-once', String(instances), String(requests)]) as Run;
}

/**
 * Events per CPU-second of a loop that does nothing but take the earliest of as many members as the
 * fleet has and put it back later.
 */
function bareHeap(): number {
  const events = 5_000_000;
  const heap = new IndexedMinHeap(FLEET);
  const rng = createRng('bare-heap');
  for (let m = 0; m < FLEET; m++) heap.set(m, rng.next());
  const start = cpuSeconds();
  for (let e = 0; e < events; e++) heap.set(heap.peek(), heap.peekKey() + rng.next());
  return events / (cpuSeconds() - start);
}

/**
 * Simulated requests per CPU-second, generated traffic and metrics included, under reactive scaling
 * and under full control.
 */
export function benchSim(): Figure[] {
  // Interleaved, so that a slow minute of the machine falls on all alike.
  const bare: number[] = [];
  const short: Run[] = [];
  const medium: Run[] = [];
  const day: Run[] = [];
  const small: Run[] = [];
  const large: Run[] = [];
  const controlled: ControlledRun[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(bareHeap());
    short.push(measure(FLEET, 100_000));
    medium.push(measure(FLEET, 2_000_000));
    day.push(measure(FLEET, REQUESTS_PER_DAY));
    small.push(measure(60, 2_000_000));
    large.push(measure(1_200, 2_000_000));
    controlled.push(inOwnProcess(['--run-controlled']) as ControlledRun);
  }
  const rates = (runs: readonly Run[]): number[] => runs.map((run) => run.requestsPerCpuS);
  const seconds = (run: Run): number => run.requests / run.requestsPerCpuS;
  // A run costs its start-up, most of it compiling, and then the same for each request: the line
  // through the shortest and the longest run.
  const perRequestS = day.map((run, i) => (seconds(run) - seconds(short[i]!)) / (run.requests - short[i]!.requests));
  const bend = medium.map(
    (run, i) => seconds(run) / (seconds(short[i]!) + perRequestS[i]! * (run.requests - short[i]!.requests)),
  );
  return [
    {
      name: '240 instances, 10 million requests (paper-day)',
      value: median(rates(day)),
      unit: 'requests/CPU-s',
      target: { atLeast: 1_000_000 },
    },
    {
      name: '  slowest and fastest round',
      value: Math.min(...rates(day)),
      unit: `to ${Math.round(Math.max(...rates(day))).toLocaleString('en-US')}`,
    },
    { name: '  processor time', value: median(day.map(seconds)), unit: 's', target: { atMost: 30 } },
    {
      name: '240 instances, 2 million requests, start-up included',
      value: median(rates(medium)),
      unit: 'requests/CPU-s',
      target: { atLeast: 700_000 },
    },
    {
      name: '240 instances, 100 thousand requests, start-up included',
      value: median(rates(short)),
      unit: 'requests/CPU-s',
    },
    {
      name: '  start-up: what a run costs before its requests',
      value: median(short.map((run, i) => seconds(run) - perRequestS[i]! * run.requests)),
      unit: 'CPU-s',
    },
    { name: '  a request after that', value: 1e6 * median(perRequestS), unit: 'CPU-µs' },
    {
      name: '  2 million against the line from 100 thousand to 10 million',
      value: median(bend),
      unit: '×',
      target: { atMost: 1.25 },
    },
    { name: 'bare heap loop, 240 members', value: median(bare), unit: 'events/CPU-s' },
    {
      name: '  bare events in the time of one request',
      value: median(bare.map((rate, i) => rate / day[i]!.requestsPerCpuS)),
      unit: '',
    },
    { name: '60 instances, 2 million requests', value: median(rates(small)), unit: 'requests/CPU-s' },
    { name: '1,200 instances, 2 million requests', value: median(rates(large)), unit: 'requests/CPU-s' },
    {
      name: '  cost of a request, 1,200 against 60',
      value: median(small.map((run, i) => run.requestsPerCpuS / large[i]!.requestsPerCpuS)),
      unit: '×',
      target: { atMost: 2 },
    },
    {
      name: 'paper-day under sage, forecasts and plans included',
      value: median(rates(controlled)),
      unit: 'requests/CPU-s',
      target: { atLeast: 700_000 },
    },
    {
      name: '  slowest and fastest round',
      value: Math.min(...rates(controlled)),
      unit: `to ${Math.round(Math.max(...rates(controlled))).toLocaleString('en-US')}`,
    },
    {
      name: '  rate against reactive scaling',
      value: median(controlled.map((run, i) => run.requestsPerCpuS / day[i]!.requestsPerCpuS)),
      unit: '×',
    },
    {
      name: '  on the clock, with three days of history and capacity',
      value: median(controlled.map(({ seconds: total }) => total)),
      unit: `s, ${controlled[0]!.requests.toLocaleString('en-US')} requests`,
      target: { atMost: 15 },
    },
    {
      name: '  peak memory',
      value: Math.max(...controlled.map((run) => run.peakMemoryMb)),
      unit: 'MB',
      target: { atMost: 400 },
    },
    {
      name: 'peak memory, 2 million requests',
      value: Math.max(...medium.map((run) => run.peakMemoryMb)),
      unit: 'MB',
      target: { atMost: 300 },
    },
    {
      name: 'peak memory, 10 million requests',
      value: Math.max(...day.map((run) => run.peakMemoryMb)),
      unit: 'MB',
      target: { atMost: 300 },
    },
  ];
}
