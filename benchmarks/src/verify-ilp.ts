import { createPlacementOptimizer } from 'sageserve';
import { type GoldenPlacement, readGoldenPlacements } from './golden-placement.js';

/**
 * Objectives of closed cases may differ by this share; those nobody closed must be within the other
 * of the best known.
 */
const CLOSED = 1e-6;
const OPEN = 0.01;
/** A minute, less what it takes to stop. */
const TIME_LIMIT_MS = 58_000;
const MOST_SECONDS = 60;

/**
 * Every case of the folder: status and objective, each with what the heuristic alone reaches.
 * Returns whether all held.
 */
export async function verifyIlp(dir: string): Promise<boolean> {
  const auto = createPlacementOptimizer({ variant: 'paper', solver: 'auto', elastic: false });
  const heuristic = createPlacementOptimizer({ variant: 'paper', solver: 'heuristic', elastic: false });
  const cases = readGoldenPlacements(dir);
  if (cases.length === 0) throw new Error('there is no case');
  console.log(`ilp: ${dir}`);
  const gaps: number[] = [];
  let held = 0;
  for (const golden of cases) {
    const { id, problem, expected } = golden;
    const open = expected.status === 'best-known';
    const startedAt = process.uptime() * 1_000;
    const solution = await auto.solve(problem, { timeLimitMs: TIME_LIMIT_MS, relativeGap: open ? OPEN : 0 });
    const seconds = (process.uptime() * 1_000 - startedAt) / 1_000;
    const wrong = missOf(golden, solution.status, solution.objectiveUsd, seconds);
    const alone = expected.objective === null ? undefined : (await heuristic.solve(problem)).objectiveUsd;
    if (expected.objective !== null) gaps.push(alone === undefined ? Infinity : difference(alone, expected.objective));
    if (wrong === undefined) held++;
    const objective =
      solution.objectiveUsd === undefined ? '' : `, objective ${solution.objectiveUsd} (${expected.objective})`;
    const gap = gaps.at(-1)!;
    const beside =
      expected.objective === null
        ? ''
        : `; heuristic alone ${Number.isFinite(gap) ? `${(100 * gap).toFixed(2)} % above` : 'found none'}`;
    console.log(
      `  ${wrong === undefined ? 'ok  ' : 'MISS'} ${id}: ${wrong ?? solution.status}${objective}, ` +
        `${solution.solver}, ${seconds.toFixed(2)} s${beside}`,
    );
  }
  gaps.sort((a, b) => a - b);
  if (gaps.length > 0)
    console.log(
      `  heuristic: median gap ${(100 * gaps[gaps.length >> 1]!).toFixed(2)} %, worst ` +
        `${(100 * gaps.at(-1)!).toFixed(2)} %`,
    );
  if (cases.length === 0) console.log('  no case was found there: nothing is shown');
  else console.log(`  ${held} of ${cases.length} cases hold`);
  return cases.length > 0 && held === cases.length;
}

export function difference(objective: number, expected: number): number {
  return (objective - expected) / Math.max(1, Math.abs(expected));
}

function missOf(
  { expected }: GoldenPlacement,
  status: string,
  objective: number | undefined,
  seconds: number,
): string | undefined {
  if (seconds > MOST_SECONDS) return `took ${seconds.toFixed(1)} s`;
  if (expected.status === 'infeasible')
    return status === 'infeasible' ? undefined : `is ${status} instead of infeasible`;
  if (objective === undefined) return `found no plan (${status})`;
  const by = difference(objective, expected.objective!);
  if (expected.status === 'optimal') {
    if (status !== 'optimal') return `is ${status} instead of optimal`;
    return Math.abs(by) <= CLOSED ? undefined : `differs by ${by}`;
  }
  if (expected.lowerBound !== undefined && objective < expected.lowerBound - CLOSED * Math.abs(expected.lowerBound))
    return `is below the proven bound ${expected.lowerBound}`;
  return by <= OPEN ? undefined : `is ${(100 * by).toFixed(2)} % above the best known`;
}
