import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { buildSimulation, buildTraffic, createRng, IndexedMinHeap, preset, type Scenario, simulate } from 'sageserve';
import { cpuSeconds, type Figure, median, peakMemoryMb } from './measure.js';

const ROUNDS = 5;
const REQUESTS_PER_DAY = 10_000_000;
/** Instances of the paper's fleet. */
const FLEET = 240;

interface Run {
  readonly requests: number;
  readonly requestsPerCpuS: number;
  readonly peakMemoryMb: number;
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
    regions: base.regions.map((r) => ({ ...r, gpus: Object.fromEntries(Object.entries(r.gpus).map(([sku, gpus]) => [sku, gpus * scale])) })),
    models: base.models.map((m) => ({
      ...m,
      deployments: m.deployments.map((d) => ({ ...d, initialInstances: (d.initialInstances ?? d.maxInstances) * scale, maxInstances: d.maxInstances * scale })),
    })),
  };
}

/** One run in this process: what the child processes of {@link benchSim} do. Prints JSON. */
export async function runOnce(instances: number, requests: number): Promise<void> {
  const scenario = scenarioOf(instances, requests);
  const start = cpuSeconds();
  const result = await simulate(buildSimulation(scenario, 'reactive'), await buildTraffic(scenario));
  const seconds = cpuSeconds() - start;
  if (result.total.unfinished > 0) throw new Error(`${result.total.unfinished} requests are unfinished`);
  console.log(JSON.stringify({ requests: result.total.arrived, requestsPerCpuS: result.total.arrived / seconds, peakMemoryMb: peakMemoryMb() } satisfies Run));
}

/** A fresh process for each run, so that memory and compiled code are its own. */
function measure(instances: number, requests: number): Run {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--run-once', String(instances), String(requests)], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout) as Run;
}

/** Events per CPU-second of a loop that does nothing but take the earliest of as many members as the fleet has and put it back later. */
function bareHeap(): number {
  const events = 5_000_000;
  const heap = new IndexedMinHeap(FLEET);
  const rng = createRng('bare-heap');
  for (let m = 0; m < FLEET; m++) heap.set(m, rng.next());
  const start = cpuSeconds();
  for (let e = 0; e < events; e++) heap.set(heap.peek(), heap.peekKey() + rng.next());
  return events / (cpuSeconds() - start);
}

/** Simulated requests per CPU-second, generated traffic and metrics included, under reactive scaling. */
export function benchSim(): Figure[] {
  // Interleaved, so that a slow minute of the machine falls on all alike.
  const rates = { bare: [] as number[], million: [] as number[], small: [] as number[], large: [] as number[] };
  let memoryMb = 0;
  for (let round = 0; round < ROUNDS; round++) {
    rates.bare.push(bareHeap());
    const million = measure(FLEET, 2_000_000);
    rates.million.push(million.requestsPerCpuS);
    memoryMb = Math.max(memoryMb, million.peakMemoryMb);
    rates.small.push(measure(60, 1_000_000).requestsPerCpuS);
    rates.large.push(measure(1_200, 2_000_000).requestsPerCpuS);
  }
  const short = median(Array.from({ length: 3 }, () => measure(FLEET, 100_000).requestsPerCpuS));
  const day = measure(FLEET, REQUESTS_PER_DAY);
  const seconds = day.requests / day.requestsPerCpuS;
  return [
    { name: '240 instances, 2 million requests', value: median(rates.million), unit: 'requests/CPU-s', target: { atLeast: 700_000 } },
    { name: '  best of 5 rounds', value: Math.max(...rates.million), unit: 'requests/CPU-s' },
    { name: 'bare heap loop, 240 members', value: median(rates.bare), unit: 'events/CPU-s' },
    { name: '  requests simulated in the time of one bare event', value: median(rates.million.map((rate, i) => rate / rates.bare[i]!)), unit: '' },
    { name: '100 thousand requests (start-up included)', value: short, unit: 'requests/CPU-s' },
    { name: '10 million requests (paper-day)', value: day.requestsPerCpuS, unit: 'requests/CPU-s' },
    { name: '  processor time', value: seconds, unit: 's', target: { atMost: 30 } },
    { name: '  cost of a request against that at 2 million', value: median(rates.million) / day.requestsPerCpuS, unit: '×', target: { atMost: 1.25 } },
    { name: '60 instances', value: median(rates.small), unit: 'requests/CPU-s' },
    { name: '1,200 instances', value: median(rates.large), unit: 'requests/CPU-s' },
    { name: '  cost of a request, 1,200 against 60', value: median(rates.small.map((rate, i) => rate / rates.large[i]!)), unit: '×', target: { atMost: 2 } },
    { name: 'peak memory, 2 million requests', value: memoryMb, unit: 'MB', target: { atMost: 300 } },
    { name: 'peak memory, 10 million requests', value: day.peakMemoryMb, unit: 'MB', target: { atMost: 300 } },
  ];
}
