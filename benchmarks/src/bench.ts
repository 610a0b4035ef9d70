import { cpus } from 'node:os';
import { benchControl } from './bench-control.js';
import { benchForecast, runRefresh } from './bench-forecast.js';
import { benchOutcome, OUTCOME_SCENARIOS, type OutcomeOptions } from './bench-outcome.js';
import { benchOptimize, runPeakMemory } from './bench-optimize.js';
import { benchSim, runControlled, runOnce } from './bench-sim.js';
import { benchStages, runProfiled } from './bench-stages.js';
import { benchSweep } from './bench-sweep.js';
import { benchTrace } from './bench-trace.js';
import { compareCommits } from './compare-commits.js';
import { type Figure, printFigures, type Report } from './measure.js';
import { namesOf, readRecorded, record } from './recorded.js';
import { tune, TUNING_DURATIONS } from './tune.js';
import { TUNING_SPACES } from './tuning-spaces.js';

const args = process.argv.slice(2);

/** The value of an option, which is taken out of the arguments. */
function option(name: string): string | undefined {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args.splice(at, 2)[1];
}

const [seeds, scenarios, strategies, duration, runs, rounds] = [
  option('--seeds'),
  option('--scenarios'),
  option('--strategies'),
  option('--duration'),
  option('--runs'),
  option('--rounds'),
];
if (seeds !== undefined && !/^[1-9]\d*$/.test(seeds)) {
  console.error(`--seeds must be a whole number of 1 or more, not "${seeds}"`);
  process.exit(2);
}
if (rounds !== undefined && !/^[1-9]\d*$/.test(rounds)) {
  console.error(`--rounds must be a whole number of 1 or more, not "${rounds}"`);
  process.exit(2);
}
const unknownScenario = scenarios?.split(',').find((name) => !(OUTCOME_SCENARIOS as readonly string[]).includes(name));
if (unknownScenario !== undefined) {
  console.error(`--scenarios: unknown scenario "${unknownScenario}"; known: ${OUTCOME_SCENARIOS.join(', ')}`);
  process.exit(2);
}
const outcome: OutcomeOptions = {
  seeds: seeds === undefined ? 5 : Number(seeds),
  scenarios: scenarios?.split(',') ?? OUTCOME_SCENARIOS,
  ...(duration === undefined ? {} : { duration }),
  ...(runs === undefined ? {} : { runs }),
};

const BENCHMARKS: Readonly<Record<string, { title: string; run: () => Figure[] | Promise<Figure[] | Report> }>> = {
  trace: { title: 'trace: reading and generating traffic', run: benchTrace },
  forecast: { title: 'forecast: rolling origin, one forecast an hour from the past alone', run: benchForecast },
  optimize: { title: 'optimize: placement by integer programs', run: benchOptimize },
  outcome: {
    title: 'outcome: GPU-hours and SLO attainment by strategy, honest forecasts',
    run: () => benchOutcome(outcome),
  },
  control: { title: 'control: what forecasts, plans and scaling cost a simulation', run: benchControl },
  stages: { title: 'stages: what the parts of the hot path cost, by a sampling profile', run: benchStages },
  sweep: {
    title: 'sweep: many runs on several cores, and through a queue that loses workers (time on the clock)',
    run: benchSweep,
  },
  sim: {
    title:
      'sim: simulated requests, generated traffic and metrics included, under reactive scaling and under full control',
    run: benchSim,
  },
};

if (args[0] === '--run-once') {
  await runOnce(Number(args[1]), Number(args[2]));
} else if (args[0] === '--run-controlled') {
  await runControlled();
} else if (args[0] === '--run-placement') {
  await runPeakMemory(args[1]!);
} else if (args[0] === '--run-profiled') {
  await runProfiled(args[1]!);
} else if (args[0] === '--run-refresh') {
  await runRefresh();
} else if (args[0] === 'tune') {
  const chosen = strategies?.split(',') ?? Object.keys(TUNING_SPACES);
  const unknown = chosen.find((name) => !Object.hasOwn(TUNING_SPACES, name));
  if (unknown !== undefined) {
    console.error(`--strategies: "${unknown}" is not tuned; known: ${Object.keys(TUNING_SPACES).join(', ')}`);
    process.exit(2);
  }
  await tune({
    scenarios: outcome.scenarios,
    strategies: chosen,
    durationOf: (scenario) => duration ?? TUNING_DURATIONS[scenario],
    runs,
  });
} else if (args[0] === 'compare') {
  const [, before, after, ...names] = args;
  const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (before === undefined || after === undefined || unknown !== undefined) {
    if (unknown !== undefined) console.error(`unknown benchmark "${unknown}"`);
    console.error(`usage: npm run bench -- compare COMMIT COMMIT [${Object.keys(BENCHMARKS).join('|')}] [--rounds N]`);
    process.exit(2);
  }
  try {
    compareCommits([before, after], names.length > 0 ? names : ['sim'], rounds === undefined ? 3 : Number(rounds));
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
} else {
  const json = args.includes('--json');
  const keep = args.includes('--record');
  const names = args.filter((arg) => arg !== '--json' && arg !== '--record');
  const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
  if (unknown !== undefined) {
    console.error(
      `unknown benchmark "${unknown}"\nusage: npm run bench -- [${Object.keys(BENCHMARKS).join('|')}] [--json] ` +
        `[--record]\n       npm run bench -- compare COMMIT COMMIT [names]\n       npm run bench -- tune ` +
        '[--scenarios A,B] [--strategies C,D] [--runs FILE]',
    );
    process.exit(2);
  }
  const machine = `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`;
  if (!json) console.log(`${machine}; medians of repeated runs, in processor time`);
  const recorded = readRecorded();
  const results: Record<string, readonly Figure[]> = {};
  const printed: Record<string, unknown> = {};
  for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
    const { title, run } = BENCHMARKS[name]!;
    let found: Awaited<ReturnType<typeof run>>;
    try {
      found = await run();
    } catch (error) {
      // What the others find is not lost with it.
      console.error(`error: ${name}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
      continue;
    }
    const { figures, text, data } = 'figures' in found ? found : { figures: found, text: undefined, data: undefined };
    results[name] = figures;
    printed[name] = data === undefined ? figures : { data, figures };
    if (!json && text !== undefined) console.log(`\n${text}`);
    const last = recorded[name];
    if (!json)
      printFigures(
        last === undefined ? title : `${title}; recorded at ${last.commit}, ${last.date}`,
        figures,
        namesOf(figures).map((key) => last?.figures[key]),
      );
  }
  if (json) console.log(JSON.stringify(printed, null, 2));
  if (keep) record(results, machine);
}
