import { readFileSync } from 'node:fs';
import { type MessagePort, workerData } from 'node:worker_threads';
import { messageOf, SageServeError } from '@sageserve/core';
import { TRACE_FORMATS } from '@sageserve/trace';
import { Command, CommanderError, Option } from 'commander';
import { guardConsole, outTaken, sweepJsonSchema, writeOut } from '@sageserve/experiments';
import { secretArguments, type Terminals, wearTerminal } from '@sageserve/experiments/console';
import { DEFAULT_CATALOGUE, leftBehind, leftovers, tellOnce } from '@sageserve/fleet';
import { PRESET_NAMES, scenarioJsonSchema } from '@sageserve/scenario';
import { compareCommand } from './commands/compare.js';
import { explainCommand } from './commands/explain.js';
import { forecastBacktestCommand } from './commands/forecast-backtest.js';
import { forecastRunCommand } from './commands/forecast-run.js';
import { planCommand } from './commands/plan.js';
import { queueCancelCommand, queueRetryCommand, queueStatusCommand, workerCommand } from './commands/queue.js';
import { replaceFile } from './commands/output-file.js';
import {
  FAILED,
  INTERRUPTED,
  leave,
  NOTHING_LEFT,
  removeUnfinished,
  tellOfEnding,
  withPlaces,
  WRONG_USE,
} from './ending.js';
import { profilesCommand } from './commands/profiles.js';
import { simulateCommand } from './commands/simulate.js';
import { sweepCommand } from './commands/sweep.js';
import { convertCommand, generateCommand, headCommand, inspectCommand } from './commands/trace.js';

/** Errors in what the user asked for, as against a run that went wrong. */
const WRONG_USE_CODES = new Set([
  'ERR_CONFIG',
  'ERR_UNKNOWN_POLICY',
  'ERR_SCENARIO_FILE',
  'ERR_FLEET_FILE',
  'ERR_TRACE_FILE',
  'ERR_PLUGIN',
  'ERR_POLICY_CONTRACT',
  'ERR_JOURNAL',
  'ERR_OUTPUT_PATH',
]);
/** Errors may quote what they were given, which can be of any length. */
const MOST_SHOWN = 2_000;
guardConsole(secretArguments(process.argv.slice(2)));

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;
const controller = new AbortController();
const { signal } = controller;
// The thread that starts this one hears the signals, and ends this one where it does not hear of
// them.
const { line, terminal } = workerData as { line: MessagePort; terminal: Terminals };
tellOfEnding((message) => {
  line.postMessage(message);
});
line.on('message', () => {
  controller.abort(new Interrupted());
});
line.unref();
wearTerminal(terminal);
// What a plug-in started and nobody awaits.
for (const name of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(name, (error: unknown) => {
    const left = leftBehind(error);
    if (left !== undefined && leftovers.areTold) {
      tellOnce(left);
      return;
    }
    const code = left === undefined ? report(error) : reportLeft(left);
    removeUnfinished();
    leave(code);
  });

class Interrupted extends Error {}

const program = new Command('sageserve')
  .description('Simulate LLM fleets that share one GPU pool across regions.')
  .version(version)
  .showHelpAfterError('(add --help for the options)')
  .configureOutput({
    writeErr(text) {
      console.error(text.trimEnd());
    },
  })
  .exitOverride();

program
  .command('simulate')
  .description('Replay or generate traffic against a fleet, under one or several strategies side by side.')
  .argument('[scenario]', 'a scenario file, YAML or JSON; a preset where none is given')
  .option('-p, --preset <name>', `a built-in scenario: ${PRESET_NAMES.join(', ')} (default: small)`)
  .option('-t, --trace <file>', 'replay this trace instead of generated traffic')
  .option('--format <format>', `its format, where it can't be found out: ${TRACE_FORMATS.join(', ')}`)
  .option('-s, --strategy <names>', 'strategies to compare, with commas between')
  .option('--seed <seed>', 'seed of everything random')
  .option('--duration <time>', 'length of generated traffic, such as 90m, 24h or 7d')
  .option('-o, --out <dir>', 'write results there: a folder for each strategy, and comparison.json')
  .option('--requests', 'with --out: also write a row for every request')
  .option('--parquet', 'with --out: write time series and requests as Parquet, not CSV')
  .option('--skip-bad-rows', 'leave out rows of the trace that are wrong, and count them')
  .option('--detail', 'also print requests by model, region and tier, and capacity by endpoint')
  .option('--audit', 'check the invariants at every simulated minute')
  .option('--json', 'print JSON instead of a table')
  .action((scenario: string | undefined, options: Parameters<typeof simulateCommand>[1]) =>
    simulateCommand(scenario, options, signal),
  );

program
  .command('compare')
  .description(
    'Compare strategies on scenarios over several seeds: capacity, latency, SLOs, cost, and a page with the figures.',
  )
  .argument('[scenarios...]', 'scenario files, YAML or JSON; presets where none is given')
  .option(
    '-p, --preset <names>',
    `built-in scenarios, with commas between: ${PRESET_NAMES.join(', ')} (default: small)`,
  )
  .option('-t, --trace <file>', 'replay this trace instead of generated traffic')
  .option('--format <format>', `its format, where it can't be found out: ${TRACE_FORMATS.join(', ')}`)
  .option(
    '-s, --strategy <names>',
    `with commas between: ${Object.keys(DEFAULT_CATALOGUE.strategies).join(', ')} (default: those of the scenario)`,
  )
  .option('--seeds <seeds>', 'how many, such as 5, or which, with commas between (default: that of the scenario)')
  .option('--duration <time>', 'length of generated traffic, such as 90m, 24h or 7d')
  .option('--requests-per-day <n>', 'rate of generated traffic')
  .option(
    '--gap-thresholds <numbers>',
    'also run lt-ua with these gap thresholds, such as 2,5,10, for the sensitivity figure',
  )
  .option(
    '--pareto',
    'also run each strategy with its main knob at several levels: GPU-hours against the worst attainment, and ' +
      'the gaps at 95, 97 and 99 %',
  )
  .option(
    '--knob <strategy.option=numbers>',
    'what --pareto turns, such as lt-ua.headroom=0,0.2,0.4; several times for several strategies',
    (value: string, before: readonly string[] | undefined): readonly string[] | undefined => [...(before ?? []), value],
  )
  .option('--cores <n>', 'worker threads (default: all cores)')
  .option(
    '-o, --out <dir>',
    'write a folder for each scenario: report.html, comparison.json, and a journal of decisions for each run',
  )
  .option('--json', 'print JSON instead of tables')
  .action((files: string[], options: Parameters<typeof compareCommand>[1]) =>
    compareCommand(files, options, version, signal),
  );

program
  .command('sweep')
  .description(
    'Run scenarios × strategies × parameters × seeds on every core; a second call makes only what is missing.',
  )
  .argument('<file>', 'what to run, YAML or JSON')
  .option('-o, --out <dir>', 'where results go (default: the name of the file without its ending)')
  .option('--cores <n>', 'worker threads (default: all cores)')
  .option(
    '--queue [url]',
    'put the runs on this PostgreSQL database for sageserve worker, and wait for their results (better in ' +
      'SAGESERVE_QUEUE)',
  )
  .option('--detach', 'with --queue: do not wait')
  .option('--list', 'print the runs as JSON and make none')
  .option('--json', 'print JSON instead of tables')
  .action((file: string, options: Parameters<typeof sweepCommand>[1]) => sweepCommand(file, options, version, signal));

const ofQueue = (command: Command): Command =>
  command.addOption(
    new Option('--queue <url>', 'postgres://user@host:5432/name; one with a password is better in the variable').env(
      'SAGESERVE_QUEUE',
    ),
  );
ofQueue(program.command('worker').description('Take runs of sweeps from a queue and simulate them.'))
  .option('--cores <n>', 'worker threads (default: all cores)')
  .option('--until-empty', 'end when nothing waits and nobody is at work, as a Kubernetes Job should')
  .action((options: Parameters<typeof workerCommand>[0]) => workerCommand(options, version, signal));
const queue = program.command('queue').description('See and change what is on a queue.');
ofQueue(queue.command('status').description('Count runs by sweep, list workers, and say why runs failed.'))
  .option('--json', 'print JSON instead of tables')
  .action((options: Parameters<typeof queueStatusCommand>[0]) => queueStatusCommand(options));
ofQueue(queue.command('retry').description('Try failed runs again.'))
  .option('--sweep <name>', 'only those of this sweep')
  .action((options: Parameters<typeof queueRetryCommand>[0]) => queueRetryCommand(options));
ofQueue(queue.command('cancel').description('Take runs off the queue that are not under way.'))
  .option('--sweep <name>', 'only those of this sweep')
  .action((options: Parameters<typeof queueCancelCommand>[0]) => queueCancelCommand(options));

program
  .command('explain')
  .description('Say why an endpoint had as many instances as it had: what was seen, forecast, planned and done.')
  .argument('<journal>', 'a journal of decisions, as compare --out and simulate --out write')
  .option(
    '-e, --endpoint <id>',
    'the endpoint, such as eastus/llama-2-70b/h100-80gb, or a part of it that no other has',
  )
  .option('--at <time>', 'when: a duration from the start such as 14h, or a time (default: the end)')
  .option('--json', 'print JSON instead of text')
  .action((file: string, options: Parameters<typeof explainCommand>[1]) => explainCommand(file, options));

const trace = program.command('trace').description('Look into, convert and generate traces.');
trace
  .command('inspect')
  .description('Describe a trace: rates, burstiness, tokens and daily shape, by tier, region and model.')
  .argument('<file>')
  .option('--format <format>')
  .option('--skip-bad-rows', 'leave out rows that are wrong, and count them')
  .option('--json', 'print JSON instead of tables')
  .action((file: string, options: Parameters<typeof inspectCommand>[1]) => inspectCommand(file, options, signal));
trace
  .command('convert')
  .description(
    'Write a trace in our own schema; the name of the output says how: .csv, .jsonl (both also .gz) or .parquet.',
  )
  .argument('<from>')
  .argument('<to>')
  .option('--format <format>', 'format of the input')
  .option('--sort', 'put requests in order of arrival (holds the trace in memory)')
  .option('--limit <n>', 'stop after so many requests')
  .option('--skip-bad-rows', 'leave out rows that are wrong, and count them')
  .action((from: string, to: string, options: Parameters<typeof convertCommand>[2]) =>
    convertCommand(from, to, options, signal),
  );
trace
  .command('generate')
  .description('Write the generated traffic of a preset or scenario.')
  .argument('<to>')
  .option('-p, --preset <name>', `${PRESET_NAMES.join(', ')} (default: paper-day)`)
  .option('--scenario <file>')
  .option('--seed <seed>')
  .option('--duration <time>')
  .option('--requests-per-day <n>')
  .option('--limit <n>', 'stop after so many requests')
  .action((to: string, options: Parameters<typeof generateCommand>[1]) => generateCommand(to, options, signal));
trace
  .command('head')
  .description('Print the first requests of a trace as they are understood.')
  .argument('<file>')
  .option('-n, --rows <n>', 'how many; 10,000 at most in a table', '10')
  .option('--format <format>')
  .option('--skip-bad-rows', 'leave out rows that are wrong, and count them')
  .option('--json', 'print JSON Lines instead of a table')
  .action((file: string, options: Parameters<typeof headCommand>[1]) => headCommand(file, options, signal));

const forecast = program
  .command('forecast')
  .description('Forecast demand, and see how far forecasts would have missed.');
const ofDemand = (command: Command): Command =>
  command
    .option('-t, --trace <file>', 'demand of the interactive requests of this trace, by model and region')
    .option('-c, --counts <file>', 'demand from a CSV with a row for each bucket (.csv or .csv.gz)')
    .option('-p, --preset <name>', `demand of generated traffic: ${PRESET_NAMES.join(', ')}`)
    .option('--duration <time>', 'length of generated traffic')
    .option('--requests-per-day <n>', 'rate of generated traffic')
    .option('--column <name>', 'column of the counts, where there are several')
    .option('--format <format>', `format of the trace, where it can't be found out: ${TRACE_FORMATS.join(', ')}`)
    .option('--skip-bad-rows', 'leave out rows of the trace that are wrong, and count them')
    .option('--all-tiers', 'count non-interactive requests of the trace too')
    .option('--model <name>', 'only this model')
    .option('--region <name>', 'only this region')
    .option('--step <time>', 'length of a bucket of a trace (default: 10m)')
    .option('--horizon <steps>', 'how far ahead, in steps or as a time such as 2h (default: 6 steps)')
    .option('--plugins <files>', 'modules with forecasters of your own, with commas between')
    .option('--target <what>', 'what quantiles are to cover: each bucket, or the peak of the horizon (default: bucket)')
    .option('--json', 'print JSON instead of tables');
const forecasterNames = Object.keys(DEFAULT_CATALOGUE.forecasters).join(', ');
ofDemand(forecast.command('run').description('Forecast what comes next from a trace or a file of counts.'))
  .option('-m, --method <name>', `${forecasterNames} (default: auto)`)
  .option('--levels <levels>', 'quantiles, with commas between (default: 0.1,0.5,0.8,0.9,0.95)')
  .action((options: Parameters<typeof forecastRunCommand>[0]) => forecastRunCommand(options, signal));
ofDemand(
  forecast.command('backtest').description('Forecast again and again from the past alone, and compare with what came.'),
)
  .option('-m, --methods <names>', `with commas between: ${forecasterNames} (default: auto, seasonal-naive-day, arima)`)
  .option('--every <steps>', 'from one forecast to the next, in steps or as a time (default: 1h)')
  .option('--first <steps>', 'history before the first forecast (default: 2d, or half of a shorter series)')
  .option('--history <steps>', 'the most history that a forecast sees (default: 14d)')
  .option('--calibrate', 'calibrate the quantiles of every method, as auto does by itself')
  .option(
    '-o, --out <dir>',
    'write report.html, which draws actual demand against forecasts, forecasts.csv and summary.json',
  )
  .action((options: Parameters<typeof forecastBacktestCommand>[0]) => forecastBacktestCommand(options, signal));

program
  .command('plan')
  .description(
    'Decide how many instances of which model on which GPU each region should hold, from a forecast of demand.',
  )
  .argument('[scenario]', 'a scenario file, YAML or JSON; a preset where none is given')
  .option('-p, --preset <name>', `a built-in scenario: ${PRESET_NAMES.join(', ')} (default: small)`)
  .option('-t, --trace <file>', 'forecast from this trace instead of generated traffic')
  .option('--format <format>', `its format, where it can't be found out: ${TRACE_FORMATS.join(', ')}`)
  .option('--skip-bad-rows', 'leave out rows of the trace that are wrong, and count them')
  .option('-d, --demand <file>', 'forecast from a CSV of demand, such as simulate --out writes')
  .option('--duration <time>', 'length of generated traffic (default: 3d)')
  .option('--requests-per-day <n>', 'rate of generated traffic')
  .option(
    '--at <time>',
    'plan from what was seen by then: a time, or one from the start such as 36h (default: the end)',
  )
  .option('--step <time>', 'length of a window (default: 10m)')
  .option('--horizon <time>', 'how far to plan (default: 1h)')
  .option('-m, --method <name>', `forecaster: ${forecasterNames} (default: auto)`)
  .option(
    '--current <file>',
    "what is held now, a CSV of model, region, sku, instances (default: the scenario's initial instances)",
  )
  .option('--mix <prompt,output>', 'tokens of a mean request (default: as observed)')
  .option('--variant <name>', 'flows, paper, artifact or lead-time (default: flows)')
  .option('--solver <name>', 'auto, highs, javascript-lp-solver or heuristic (default: auto)')
  .option('--time-limit <time>', 'for the solver (default: 60s)')
  .option('--gap <share>', 'how far from the best possible a plan may be (default: 0)')
  .option('--local-share <share>', "share of a region's own peak that must be servable in it (default: 0.8)")
  .option('--demand-quantile <level>', 'of the forecast, that capacity must carry (default: 0.9)')
  .option('--demand-budget <regions>', 'how many regions of a model are at that quantile at once')
  .option('--hysteresis <usd>', 'a price on every change (default: 0)')
  .option('--explain', 'say in words what changes and why')
  .option('--lp <file>', 'write the integer program in LP format, for any other solver')
  .option('--json', 'print JSON instead of tables')
  .action((scenario: string | undefined, options: Parameters<typeof planCommand>[1]) =>
    planCommand(scenario, options, signal),
  );

program
  .command('profiles')
  .description('List which models run on which GPUs, how fast, and whether that is measured or modelled.')
  .option('--model <name>')
  .option('--sku <name>')
  .option('--json', 'print JSON instead of a table')
  .action((options: Parameters<typeof profilesCommand>[0]) => profilesCommand(options));

program
  .command('schema')
  .description('Print the JSON Schema of scenario files, or of sweep files.')
  .option('--sweep', 'that of sweep files')
  .option('-o, --out <file>', 'write it to a file')
  .action(async (options: { sweep?: boolean; out?: string }) => {
    const text = `${JSON.stringify(options.sweep === true ? sweepJsonSchema() : scenarioJsonSchema(), null, 2)}\n`;
    if (options.out === undefined) writeOut(text);
    else await replaceFile(options.out, text);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
// What a plug-in left running, or a pipe to which somebody may still write, must not keep the
// process: what was printed is waited for.
await outTaken();
leave(Number(process.exitCode ?? 0));

/** Says what went wrong on standard error; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
  if (error instanceof Interrupted) {
    console.error(NOTHING_LEFT);
    return INTERRUPTED;
  }
  if (error instanceof SageServeError) {
    console.error(`error: ${shown(messageOf(error))}`);
    // A plug-in may have made it of anything.
    if (typeof error.hint === 'string') console.error(`hint: ${shown(error.hint)}`);
    return WRONG_USE_CODES.has(error.code) ? WRONG_USE : FAILED;
  }
  const { syscall, path } = (error ?? {}) as { syscall?: unknown; path?: unknown };
  console.error(`error: ${shown(messageOf(error))}`);
  if (process.env['SAGESERVE_STACK'] !== undefined && error instanceof Error) console.error(error.stack);
  // What the system refuses says by itself what and where.
  else if (typeof syscall !== 'string' || typeof path !== 'string')
    console.error(
      'hint: If this is not a plug-in’s, it is a defect in SageServe: please report it, with what ' +
        'SAGESERVE_STACK=1 prints beside it.',
    );
  return FAILED;
}

function reportLeft(left: string): number {
  console.error(`error: ${shown(left)}`);
  console.error('hint: A plug-in takes the errors of what it starts: await its promises, and guard its timers.');
  return WRONG_USE;
}

function shown(message: string): string {
  const text = withPlaces(message);
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}… (${text.length} characters)`;
}
