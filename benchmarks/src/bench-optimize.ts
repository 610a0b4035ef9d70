import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  createPlacementOptimizer,
  createRng,
  modelId,
  PlacementGrid,
  type PlacementProblem,
  regionId,
  skuId,
} from 'sageserve';
import { readGoldenPlacements } from './golden-placement.js';
import { cpuSeconds, type Figure, median, peakMemoryMb } from './measure.js';
import { difference } from './verify-ilp.js';

const GOLDEN = '../shared/golden/ilp';
const GAP = 0.01;
const REPEATS = 5;
const MOST_MS = 60_000;

interface Size {
  readonly name: string;
  readonly size: readonly [models: number, regions: number, skus: number, windows: number];
  readonly gap: number;
  readonly targetS: number;
  readonly repeats: number;
}

const SIZES: readonly Size[] = [
  { name: '4 × 3 × 1', size: [4, 3, 1, 6], gap: 0, targetS: 0.1, repeats: REPEATS },
  { name: '20 × 10 × 4', size: [20, 10, 4, 6], gap: GAP, targetS: 2, repeats: 3 },
  { name: '50 × 30 × 5', size: [50, 30, 5, 4], gap: GAP, targetS: 10, repeats: 1 },
];

/**
 * Caps leave this much more GPUs than demand takes at its peak: 0.15 binds in most cells, 2 in
 * none.
 */
const ROOM = { tight: 0.15, slack: 2 } as const;

export async function benchOptimize(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, size, gap, targetS, repeats } of SIZES) {
    for (const [tightness, room] of Object.entries(ROOM)) {
      for (const flows of [false, true]) {
        if (flows && (tightness === 'slack' || name === '4 × 3 × 1')) continue;
        const label = `${name}, ${tightness}${flows ? ', flows' : ''}`;
        const problem = fleetProblem(size, room, flows);
        await placementFigures(label, problem, flows, gap, targetS, repeats, figures);
      }
    }
  }
  if (!existsSync(GOLDEN)) {
    console.log(`  ${GOLDEN} is not there: its cases are left out`);
    return figures;
  }
  const gaps: number[] = [];
  const heuristic = createPlacementOptimizer({ variant: 'paper', solver: 'heuristic', elastic: false });
  for (const { id, problem, expected, solvers } of readGoldenPlacements(GOLDEN)) {
    if (expected.objective === null) continue;
    const startedAt = cpuSeconds();
    const plan = await heuristic.solve(problem);
    const heuristicMs = 1_000 * (cpuSeconds() - startedAt);
    const gap = plan.objectiveUsd === undefined ? Infinity : difference(plan.objectiveUsd, expected.objective);
    gaps.push(gap);
    if (!/^[lm]/.test(id)) continue;
    const optimizer = createPlacementOptimizer({ variant: 'paper', solver: 'auto', elastic: false });
    const from = cpuSeconds();
    const solved = await optimizer.solve(problem, { relativeGap: GAP, timeLimitMs: MOST_MS });
    const took = cpuSeconds() - from;
    if (id.startsWith('l06'))
      figures.push({ name: `golden ${id}: auto, to 1 %`, value: took, unit: 's', target: { atMost: 10 } });
    const others = ['cbc', 'highsWasm']
      .map((solver) => `${solver} ${solvers[solver]?.cpuS?.toFixed(2) ?? '–'} s (${solvers[solver]?.status ?? '–'})`)
      .join(', ');
    console.log(
      `  ${id.padEnd(24)} heuristic ${heuristicMs.toFixed(0).padStart(5)} ms, ${(100 * gap).toFixed(2)} %; auto ` +
        `to 1 %: ${took.toFixed(2)} s, proven ${(100 * (solved.relativeGap ?? NaN)).toFixed(2)} %; README, to ` +
        `optimality: ${others}`,
    );
  }
  gaps.sort((a, b) => a - b);
  figures.push(
    {
      name: 'heuristic: median gap on the golden set',
      value: 100 * gaps[gaps.length >> 1]!,
      unit: '%',
      target: { atMost: 1 },
    },
    { name: 'heuristic: worst gap on the golden set', value: 100 * gaps.at(-1)!, unit: '%', target: { atMost: 5 } },
  );
  return figures;
}

async function placementFigures(
  label: string,
  problem: PlacementProblem,
  flows: boolean,
  gap: number,
  targetS: number,
  repeats: number,
  into: Figure[],
): Promise<void> {
  const variant = flows ? 'flows' : 'paper';
  const highs = createPlacementOptimizer({ variant, solver: 'highs', elastic: false });
  const auto = createPlacementOptimizer({ variant, solver: 'auto', elastic: false });
  const heuristic = createPlacementOptimizer({ variant, solver: 'heuristic', elastic: false });
  const large = label.startsWith('50');
  // Once to warm the thread and the compiler.
  if (!large) await highs.solve(problem, { relativeGap: gap });
  await heuristic.solve(problem);
  const time = async (solve: () => Promise<unknown>): Promise<number> => {
    const from = cpuSeconds();
    await solve();
    return cpuSeconds() - from;
  };
  const [byHighs, byAuto, byHeuristic, first]: [number[], number[], number[], number[]] = [[], [], [], []];
  let [proven, autoGap, plan] = [NaN, NaN, NaN];
  let best = Infinity;
  for (let n = 0; n < repeats; n++) {
    byHighs.push(
      await time(async () => {
        const solution = await highs.solve(problem, { relativeGap: gap, timeLimitMs: MOST_MS });
        proven = solution.relativeGap ?? NaN;
        best = Math.min(best, solution.boundUsd ?? Infinity);
      }),
    );
    byAuto.push(
      await time(async () => {
        autoGap = (await auto.solve(problem, { relativeGap: gap, timeLimitMs: MOST_MS })).relativeGap ?? NaN;
      }),
    );
    // The shortest of these time limits with which a plan comes back.
    for (let limitMs = 50, found = false; !found; limitMs *= 2) {
      const took = await time(async () => {
        found = (await heuristic.solve(problem, { timeLimitMs: limitMs })).target !== undefined;
      });
      if (found) first.push(took);
      else if (limitMs > MOST_MS) throw new Error(`${label}: no plan in ${limitMs} ms`);
    }
    byHeuristic.push(
      await time(async () => {
        plan = (await heuristic.solve(problem)).objectiveUsd ?? NaN;
      }),
    );
  }
  const mine = gap === 0 ? 'optimality' : `${100 * gap} %`;
  into.push(
    { name: `${label}: auto, warm, to ${mine}`, value: median(byAuto), unit: 's', target: { atMost: targetS } },
    { name: `${label}: proven gap of auto`, value: 100 * autoGap, unit: '%', target: { atMost: 100 * gap + 1e-4 } },
    {
      name: `${label}: HiGHS alone, warm, to ${mine}`,
      value: median(byHighs),
      unit: `s, ${(100 * proven).toFixed(2)} % proven`,
    },
    {
      name: `${label}: first plan that meets all`,
      value: median(first),
      unit: 's',
      ...(large ? { target: { atMost: 1 } } : {}),
    },
    {
      name: `${label}: heuristic alone`,
      value: 1_000 * median(byHeuristic),
      unit: 'ms',
      ...(large ? { target: { atMost: 50 } } : {}),
    },
    { name: `${label}: heuristic above HiGHS's bound`, value: (100 * (plan - best)) / Math.abs(plan), unit: '%' },
  );
  if (large) {
    const script = fileURLToPath(import.meta.url);
    const megabytes = Number(execFileSync(process.execPath, [script, '--run-placement', label], { encoding: 'utf8' }));
    into.push({ name: `${label}: memory of one solve by auto`, value: megabytes, unit: 'MB' });
  }
}

/** Solves one problem in a process of its own and prints the most memory that took. */
export async function runPeakMemory(label: string): Promise<void> {
  const { size, gap } = SIZES.find(({ name }) => label.startsWith(name))!;
  const flows = label.endsWith('flows');
  const problem = fleetProblem(size, label.includes('slack') ? ROOM.slack : ROOM.tight, flows);
  await createPlacementOptimizer({ variant: flows ? 'flows' : 'paper', elastic: false }).solve(problem, {
    relativeGap: gap,
  });
  console.log(Math.round(peakMemoryMb()));
}

/**
 * A fleet from a seed, of the kind of the golden cases: dearer GPUs carry more, models need 1 to 8
 * of them, regions differ several-fold, and what is held was planned for another hour.
 */
function fleetProblem([M, R, K, W]: Size['size'], room: number, flows: boolean): PlacementProblem {
  const rng = createRng(`fleet ${M} ${R} ${K} ${W}`);
  const usd = [3_277, 9_832, 11_000, 8_800, 1_500].slice(0, K);
  const speed = [1, 2, 2.5, 2.3, 0.42].slice(0, K);
  const fill = (
    models: number,
    regions: number,
    skus: number,
    value: (m: number, r: number, k: number) => number,
  ): PlacementGrid => {
    const made = new PlacementGrid(models, regions, skus);
    for (let m = 0; m < models; m++)
      for (let r = 0; r < regions; r++) for (let k = 0; k < skus; k++) made.set(m, r, k, value(m, r, k));
    return made;
  };
  const gpus = Array.from({ length: M }, () => [1, 2, 4, 8][Math.floor(4 * rng.next())]!);
  const base = Array.from({ length: M }, () => 2_000 + 10_000 * rng.next());
  const tokens = fill(M, 1, K, (m, _, k) =>
    k > 0 && rng.next() < 0.15 ? 0 : Math.round(base[m]! * speed[k]! * (0.8 + 0.4 * rng.next())),
  );
  const weight = Array.from({ length: R }, () => 0.3 + rng.next());
  const peak = Array.from({ length: M }, (_, m) => base[m]! * (2 + 8 * rng.next()));
  const demand = Array.from({ length: W }, () =>
    fill(M, R, 1, (m, r) => Math.round(peak[m]! * weight[r]! * (0.8 + 0.4 * rng.next()))),
  );
  const needed = fill(1, R, 1, (_, r) =>
    peak.reduce((sum, tokensPerS, model) => sum + ((tokensPerS * weight[r]! * 1.2) / base[model]!) * gpus[model]!, 0),
  );
  const current = fill(M, R, K, (m, r, k) =>
    tokens.at(m, 0, k) > 0 && rng.next() < 0.5
      ? Math.floor((rng.next() * 3 * demand[0]!.at(m, r, 0)) / tokens.at(m, 0, k))
      : 0,
  );
  return {
    models: Array.from({ length: M }, (_, m) => modelId(`model-${m}`)),
    regions: Array.from({ length: R }, (_, r) => regionId(`region-${r}`)),
    skus: Array.from({ length: K }, (_, k) => skuId(`sku-${k}`)),
    current,
    minInstances: fill(M, R, K, () => 0),
    maxInstances: fill(M, R, K, () => Infinity),
    tokensPerSPerInstance: tokens,
    gpusPerInstance: fill(M, 1, K, (m, _, k) => gpus[m]! * (k === 4 ? 2 : 1)),
    // As many GPUs as the demand would take on the slowest, spread over the SKUs by their speed.
    gpuCapacity: fill(1, R, K, (_, r, k) =>
      Math.ceil((needed.at(0, r, 0) * (1 + room) * (k === 4 ? 2 : 1)) / (K === 1 ? 1 : 1.6 * K)),
    ),
    usdPerInstanceHour: fill(M, 1, K, (_m, _r, k) => usd[k]!),
    startUsd: fill(M, 1, K, (_m, _r, k) => Math.round(usd[k]! * (0.15 + 0.2 * rng.next()))),
    demandTokensPerS: demand,
    localShare: 0.8,
    ...(flows
      ? {
          flowUsdPerMillionTokens: fill(M, R, R, (_, from, to) =>
            from === to ? 0 : Math.round(100 * (0.05 + 0.01 * Math.abs(from - to))) / 100,
          ),
        }
      : {}),
  };
}
