import { parentPort } from 'node:worker_threads';
import type { Job, Report } from './job.js';
import { runHighs } from './run-highs.js';
import { runJavascriptLpSolver } from './run-javascript-lp-solver.js';

const port = parentPort!;
port.on('message', (job: Job) => {
  const improve = (improved: Float64Array, bound: number | undefined): void =>
    port.postMessage({ improved, bound } satisfies Report);
  const solve = job.solver === 'highs' ? runHighs(job, improve) : runJavascriptLpSolver(job);
  solve.then(
    (answer) => port.postMessage({ answer } satisfies Report),
    (error: unknown) =>
      port.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Report),
  );
});
