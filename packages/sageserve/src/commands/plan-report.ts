import {
  type DemandForecast,
  type DemandSeries,
  maxOf,
  type ModelId,
  type PlacementGrid,
  type PlacementProblem,
  type PlacementSolution,
  type TokenMix,
} from '@sageserve/core';
import { explainPlan } from '@sageserve/optimize';
import { count, decimal, NONE, percent, table, time } from '@sageserve/experiments';

/** Demand that was seen. */
export interface Observed {
  readonly source: string;
  readonly series: readonly DemandSeries[];
  readonly nonInteractiveTokensPerS: ReadonlyMap<ModelId, Float64Array>;
  readonly nonInteractiveMix: ReadonlyMap<ModelId, TokenMix>;
}

export interface Forecasts {
  readonly key: DemandSeries['key'];
  readonly forecast: DemandForecast;
}

/** Flows and constraints that are printed; `--json` has all. */
const MOST_LINES = 12;

/** The plan as tables for a person. */
export function printPlan(
  observed: Observed,
  forecasts: readonly Forecasts[],
  problem: PlacementProblem,
  solution: PlacementSolution,
  variant: string,
  tookMs: number,
): void {
  const { forecast } = forecasts[0]!;
  console.log(
    `${observed.source}: plan for ${new Date(forecast.startMs).toISOString()}, ${forecast.mean.length} windows ` +
      `of ${time(forecast.stepMs)}`,
  );
  const gap =
    solution.relativeGap === undefined
      ? ''
      : solution.relativeGap === 0
        ? ', proven'
        : `, within ${percent(solution.relativeGap)} of the best possible`;
  console.log(`${variant}: ${solution.status} by ${solution.solver} in ${time(tookMs)}${gap}`);
  for (const note of solution.notes ?? []) console.log(`  ${note}`);
  if (solution.target === undefined) return;
  console.log(`\n${planTable(problem, solution.target)}`);
  printCost(problem, solution);
  const flows = flowsOf(problem, solution).filter(({ from, to }) => from !== to);
  if (flows.length > 0)
    console.log(
      `\nserved elsewhere, at the busiest\n${table(
        ['model', 'from', 'to', 'tokens/s'],
        flows.slice(0, MOST_LINES).map(({ model, from, to, tokensPerS }) => [model, from, to, count(tokensPerS)]),
      )}${more(flows.length)}`,
    );
  for (const [title, rows] of [
    [
      'short of',
      (solution.shortfall ?? []).map(({ kind, modelId: model, regionId: region, window, amount, binding }) => [
        kind,
        model,
        region ?? 'all regions',
        window === undefined ? 'peak' : `window ${window + 1}`,
        kind === 'min-instances' ? `${amount} instances` : count(amount),
        binding[0] ?? NONE,
      ]),
    ],
  ] as const)
    if (rows.length > 0)
      console.log(
        `\n${title}\n${table(['kind', 'model', 'region', 'when', 'tokens/s', 'since of'], rows.slice(0, MOST_LINES))}${more(rows.length)}`,
      );
  const binding = solution.binding ?? [];
  if (binding.length > 0)
    console.log(
      `\nbinding constraints\n${table(
        ['constraint', 'worth'],
        binding
          .slice(0, MOST_LINES)
          .map(({ name, kind, shadowUsd }) => [name, shadowUsd === undefined ? NONE : worth(kind, shadowUsd)]),
      )}${more(binding.length)}`,
    );
}

function worth(kind: string, usd: number): string {
  return kind === 'gpu-capacity'
    ? `$${decimal(usd, 2)} /h for a GPU more`
    : `$${decimal(1_000 * usd, 2)} /h for 1,000 tokens/s less`;
}

function more(length: number): string {
  return length > MOST_LINES ? `\nand ${length - MOST_LINES} more (--json has all)` : '';
}

function planTable(problem: PlacementProblem, target: PlacementGrid): string {
  const { models, regions, skus } = problem;
  const rows: string[][] = [];
  for (const [m, model] of models.entries()) {
    for (const [r, region] of regions.entries()) {
      const peak = maxOf(problem.demandTokensPerS.map((window) => window.at(m, r, 0)));
      let first = true;
      for (const [k, sku] of skus.entries()) {
        const [now, then] = [problem.current.at(m, r, k), target.at(m, r, k)];
        if (now === 0 && then === 0) continue;
        const change = then - now;
        rows.push([
          model,
          region,
          sku,
          String(now),
          `→ ${then}`,
          change === 0 ? '' : change > 0 ? `+${change}` : `−${-change}`,
          first ? count(peak) : '',
          count(then * problem.tokensPerSPerInstance.at(m, 0, k)),
          decimal(then * problem.usdPerInstanceHour.at(m, 0, k), 2),
        ]);
        first = false;
      }
    }
  }
  return table(['model', 'region', 'SKU', 'now', 'target', '', 'peak tokens/s', 'carries', '$/h'], rows);
}

function printCost(problem: PlacementProblem, { target, cost }: PlacementSolution): void {
  let [now, then] = [0, 0];
  for (const [m] of problem.models.entries())
    for (const [r] of problem.regions.entries())
      for (const [k] of problem.skus.entries()) {
        now += problem.current.at(m, r, k) * problem.usdPerInstanceHour.at(m, 0, k);
        then += target!.at(m, r, k) * problem.usdPerInstanceHour.at(m, 0, k);
      }
  console.log(
    `\n$${decimal(now, 2)} /h now → $${decimal(then, 2)} /h; starts $${decimal(cost!.startUsd, 2)}, distance ` +
      `$${decimal(cost!.flowUsd, 2)} ` +
      `/h${cost!.unmetUsd > 0 ? `, unmet demand priced at $${decimal(cost!.unmetUsd, 2)}` : ''}`,
  );
}

/**
 * What a region serves of another's demand (or its own): at the busiest window, and as a share of
 * all of it.
 */
interface Flow {
  readonly model: string;
  readonly from: string;
  readonly to: string;
  readonly tokensPerS: number;
  readonly share: number;
}

function flowsOf(problem: PlacementProblem, { flowTokensPerS = [] }: PlacementSolution): Flow[] {
  const { models, regions } = problem;
  const flows: Flow[] = [];
  for (const [m, model] of models.entries()) {
    for (const [i, from] of regions.entries()) {
      for (const [j, to] of regions.entries()) {
        const busiest = flowTokensPerS.reduce((most, grid) => Math.max(most, grid.at(m, i, j)), 0);
        if (busiest === 0) continue;
        const all = flowTokensPerS.reduce(
          (sum, grid) => sum + regions.reduce((own, _, to2) => own + grid.at(m, i, to2), 0),
          0,
        );
        flows.push({
          model,
          from,
          to,
          tokensPerS: busiest,
          share: flowTokensPerS.reduce((sum, grid) => sum + grid.at(m, i, j), 0) / all,
        });
      }
    }
  }
  return flows.sort((a, b) => b.tokensPerS - a.tokensPerS);
}

/** The plan for a program. */
export function planJson(
  observed: Observed,
  forecasts: readonly Forecasts[],
  problem: PlacementProblem,
  solution: PlacementSolution,
  variant: string,
  tookMs: number,
): object {
  const { target, flowTokensPerS: _, schedule, ...rest } = solution;
  const instances = (grid: PlacementGrid): object[] =>
    problem.models.flatMap((model, m) =>
      problem.regions.flatMap((region, r) =>
        problem.skus.flatMap((sku, k) =>
          grid.at(m, r, k) > 0 || problem.current.at(m, r, k) > 0
            ? [{ model, region, sku, now: problem.current.at(m, r, k), target: grid.at(m, r, k) }]
            : [],
        ),
      ),
    );
  return {
    source: observed.source,
    variant,
    start: new Date(forecasts[0]!.forecast.startMs).toISOString(),
    windowS: forecasts[0]!.forecast.stepMs / 1_000,
    windows: problem.demandTokensPerS.length,
    ...rest,
    solverMs: tookMs,
    plan: target === undefined ? undefined : instances(target),
    flows: flowsOf(problem, solution),
    schedule: schedule?.map(instances),
    explanation: explainPlan(problem, solution),
    forecasts: forecasts.map(({ key, forecast }) => ({
      model: key.modelId,
      region: key.regionId,
      method: forecast.method,
    })),
  };
}
