import { buildSimulation, demandAround, measureCapacity, prepareRun, preset, simulate } from 'sageserve';
import { REACTIVE } from './bench-sim.js';
import { cpuSeconds, type Figure, median } from './measure.js';
import { TUNING_SEED } from './tune.js';

const ROUNDS = 3;

/**
 * What control costs: the hourly tick, and the speed of a simulation with full control against
 * reactive scaling.
 */
export async function benchControl(): Promise<Figure[]> {
  const scenario = { ...preset('paper-day'), seed: TUNING_SEED };
  const capacity = await measureCapacity(scenario, buildSimulation(scenario, 'static'));
  const demand = await demandAround(scenario, false);
  const planMs: number[] = [];
  const speeds = { reactive: [] as number[], sage: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const strategy of ['reactive', 'sage'] as const) {
      const choice = strategy === 'reactive' ? REACTIVE : strategy;
      const { config, trace } = await prepareRun(scenario, choice, { capacity, demand });
      const start = cpuSeconds();
      const { total } = await simulate(
        {
          ...config,
          control(ports) {
            const loop = config.control!(ports);
            return {
              get nextTickAtMs() {
                return loop.nextTickAtMs;
              },
              async tick(nowMs, options) {
                const before = cpuSeconds();
                const report = await loop.tick(nowMs, options);
                if ((report as { planned?: boolean }).planned === true) planMs.push(1_000 * (cpuSeconds() - before));
                return report;
              },
            };
          },
        },
        trace,
      );
      speeds[strategy].push(total.arrived / (cpuSeconds() - start));
    }
  }
  return [
    {
      name: 'hourly tick: forecasts and plans for 4 models × 3 regions, median',
      value: median(planMs),
      unit: 'CPU-ms',
    },
    {
      name: '  the slowest, which is the first: it looks back on the history',
      value: Math.max(...planMs),
      unit: 'CPU-ms',
      target: { atMost: 1_000 },
    },
    {
      name: 'simulation with full control against reactive',
      value: (100 * median(speeds.sage)) / median(speeds.reactive),
      unit: '% of its speed',
      target: { atLeast: 70 },
    },
    { name: '  with full control', value: median(speeds.sage), unit: 'requests/CPU-s' },
    { name: '  reactive', value: median(speeds.reactive), unit: 'requests/CPU-s' },
  ];
}
