export { type Attainment, meanAttainments, meetsObjectives, worstAttainment } from './compare/attainment.js';
export {
  type Bounds,
  type Comparison,
  type ComparisonRow,
  compareRuns,
  equalBillUsd,
} from './compare/comparison-rows.js';
export {
  ComparisonOnCores,
  type ComparisonItem,
  type OnCoresOptions,
  type RunsOnCoresOptions,
} from './compare/compare-on-cores.js';
export { comparisonText } from './compare/comparison-text.js';
export {
  type ComparedRun,
  type ComparisonOptions,
  compareStrategies,
  strategyLabels,
} from './compare/run-comparison.js';
export { comparisonFacts } from './compare/facts.js';
export { type GivenKnob, knobSettings, type KnobSettings, parseKnob } from './compare/main-knobs.js';
export {
  frontOf,
  PARETO_LEVELS,
  type ParetoCurve,
  paretoCurves,
  type ParetoPoint,
  type TurnedKnob,
} from './compare/pareto.js';
export { paretoText } from './compare/pareto-text.js';
export { type RunRecord } from './compare/run-record.js';
export { seedsNote } from './compare/seeds-note.js';
export { type Estimate, estimate } from './compare/statistics.js';
export { verdict } from './compare/verdict.js';
export { contentHash } from './content-hash.js';
export { cell, count, decimal, NONE, percent, plural, sparkline, table, time } from './format.js';
export { fileName, FileNames } from './output/file-name.js';
export { JournalFile, type JournalHead } from './output/journal-file.js';
export { jsonPieces } from './output/json-pieces.js';
export { OutputFile } from './output/output-file.js';
export { type OutputWatch } from './output/output-watch.js';
export { makeFolder, placeOf } from './output/result-place.js';
export { askDatabase } from './queue/database.js';
export { type QueueWorkerOptions, runQueueWorker } from './queue/queue-worker.js';
export { type QueuedRun, type QueueStatus, RunQueue } from './queue/run-queue.js';
export { backtestCsv, backtestPage } from './reports/backtest-page.js';
export { type GapPoint } from './reports/comparison-figures.js';
export { comparisonPage, type ComparisonPage } from './reports/comparison-page.js';
export { sweepPage } from './reports/sweep-page.js';
export {
  analyseSweep,
  type AttainmentTargets,
  type MainEffect,
  type SweepAnalysis,
  type SweepSetting,
} from './sweep/analysis.js';
export { readSweep, type Sweep, sweepJsonSchema, type SweepRun, type SweepTask } from './sweep/definition.js';
export { type ParameterValue, parametersText, withParameters } from './sweep/parameters.js';
export { runSweepTask, type SweepMeasures, type TaskOptions } from './sweep/run-task.js';
export { type FinishedRun, SweepFolder } from './sweep/sweep-folder.js';
export { sweepText } from './sweep/sweep-text.js';
export { type Done, RunPool, type ThreadState } from './threads/run-pool.js';
export { type ThreadJob, type ThreadJobs } from './threads/thread-jobs.js';
export { trafficAhead, trafficPays } from './threads/traffic-ahead.js';
export { guardConsole, outTaken, printPieces, writeOut } from './terminal.js';
