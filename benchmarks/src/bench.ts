import { cpus } from 'node:os';
import { benchForecast, runRefresh } from './bench-forecast.js';
import { benchOptimize, runPeakMemory } from './bench-optimize.js';
import { benchSim, runOnce } from './bench-sim.js';
import { benchTrace } from './bench-trace.js';
import { type Figure, printFigures } from './measure.js';

const BENCHMARKS: Readonly<Record<string, { title: string; run: () => Figure[] | Promise<Figure[]> }>> = {
  trace: { title: 'trace: reading and generating traffic', run: benchTrace },
  forecast: { title: 'forecast: rolling origin, one forecast an hour from the past alone', run: benchForecast },
  optimize: { title: 'optimize: placement by integer programs', run: benchOptimize },
  sim: { title: 'sim: simulated requests, generated traffic and metrics included, reactive scaling', run: benchSim },
};

const args = process.argv.slice(2);
if (args[0] === '--run-once') {
  await runOnce(Number(args[1]), Number(args[2]));
} else if (args[0] === '--run-placement') {
  await runPeakMemory(args[1]!);
} else if (args[0] === '--run-refresh') {
  await runRefresh();
} else {
  const json = args.includes('--json');
  const names = args.filter((arg) => arg !== '--json');
  const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown !== undefined) {
    console.error(`unknown benchmark "${unknown}"\nusage: npm run bench -- [${Object.keys(BENCHMARKS).join('|')}] [--json]`);
    process.exit(2);
  }
  if (!json) console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}; medians of repeated runs, in processor time`);
  const results: Record<string, Figure[]> = {};
  for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
    const { title, run } = BENCHMARKS[name]!;
    results[name] = await run();
    if (!json) printFigures(title, results[name]);
  }
  if (json) console.log(JSON.stringify(results, null, 2));
}
