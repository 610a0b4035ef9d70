import { ConfigError, maxOf, type PlacementProblem } from '@sageserve/core';
import { checkProblem, LARGEST_TOKENS_PER_S } from './check-problem.js';
import { compare, decimalOf, dividedUp, type Decimal, largest, plus, scaled, times, ZERO } from './exact.js';

/**
 * `paper`: the paper's program. `artifact`: the weaker one of its artifact, every local peak in
 * full and nothing else. `flows`: with routing between regions. `lead-time`: over several windows.
 */
export type PlacementVariant = 'paper' | 'artifact' | 'flows' | 'lead-time';

/** USD per million tokens that are not served, or that could not be served at home. */
export interface UnmetPrices {
  readonly interactiveFast: number;
  readonly interactiveNormal: number;
  readonly nonInteractive: number;
  readonly localShare: number;
}

export interface PlacementFormulation {
  /** `flows` by default. */
  readonly variant?: PlacementVariant;
  /**
   * A price on every instance that is started or released, so that a plan changes only for a gain;
   * 0 by default.
   */
  readonly hysteresisUsd?: number;
  /**
   * Prices of unmet demand where the whole can't be met. By default 1,000 (interactive-fast), 300
   * (interactive-normal), 100 (non-interactive) and 30 times (local share) what the dearest
   * instance costs per token, so that less than a thousandth of an instance is left unmet rather
   * than bought.
   */
  readonly unmetUsdPerMillionTokens?: Partial<UnmetPrices>;
}

/**
 * Capacity is counted in millionths of a token/s, in whole numbers: sums of doubles are then exact.
 */
export const MICRO = 1e6;
const MICRO_PLACES = 6;

/** USD an hour for one millionth of a token/s, of a USD per million tokens. */
const USD_PER_MICRO_HOUR = 3_600 / 1e6 / MICRO;

/** What may be missing from a cover, cheapest first. */
export interface ShortageStep {
  readonly kind: 'interactive-fast' | 'interactive-normal' | 'non-interactive' | 'local-share';
  /** In micro-tokens/s. */
  readonly most: number;
  readonly usdPerMicro: number;
}

/** Capacity of one model over some regions must reach `required` micro-tokens/s. */
export interface Cover {
  readonly kind: 'local-service' | 'global-service' | 'residency';
  readonly name: string;
  readonly model: number;
  readonly regions: readonly number[];
  readonly required: number;
  /** What it would be without a demand budget. */
  readonly expected: number;
  readonly shortage: readonly ShortageStep[];
}

/**
 * A placement problem made ready for solvers: whole numbers in flat columns. Entry (model, region,
 * SKU) is at `(model × regions + region) × SKUs + SKU`, pair (model, SKU) at `model × SKUs + SKU`.
 */
export interface PlacementTask {
  readonly problem: PlacementProblem;
  readonly variant: PlacementVariant;
  readonly models: number;
  readonly regions: number;
  readonly skus: number;
  readonly windows: number;
  readonly windowHours: number;
  readonly current: Float64Array;
  readonly lower: Float64Array;
  /** Finite: never more than one entry alone could need. */
  readonly upper: Float64Array;
  /** Capacity of an instance in micro-tokens/s, by pair. */
  readonly capacity: Float64Array;
  readonly gpus: Float64Array;
  /** By region × SKU. */
  readonly gpuCapacity: Float64Array;
  /** What one instance less saves, and what one more costs, by pair: hysteresis counts in both. */
  readonly belowUsd: Float64Array;
  readonly aboveUsd: Float64Array;
  readonly hysteresisUsd: number;
  readonly covers: readonly Cover[];
  /** By window, then model × region, in micro-tokens/s. */
  readonly demand: readonly Float64Array[];
  readonly fastShare: Float64Array;
  /**
   * `undefined` where tokens are served anywhere for nothing. USD an hour for a micro-token/s, by
   * model × origin × serving; `Infinity` where it is forbidden.
   */
  readonly flowUsd: Float64Array | undefined;
  /** Whether some flow has a price, so that where capacity lies matters beyond the covers. */
  readonly flowPriced: boolean;
  readonly unmetUsd: {
    readonly fast: number;
    readonly normal: number;
    readonly deferrable: number;
    readonly local: number;
    readonly perInstance: number;
  };
  /** Tokens due by the end of each window, by model × window, in micro-tokens/s × windows. */
  readonly due: Float64Array;
}

/** Throws `ConfigError` for a malformed problem or option. */
export function createTask(problem: PlacementProblem, formulation: PlacementFormulation = {}): PlacementTask {
  checkProblem(problem);
  const variant = formulation.variant ?? 'flows';
  if (!['paper', 'artifact', 'flows', 'lead-time'].includes(variant))
    throw new ConfigError('variant', `must be paper, artifact, flows or lead-time, not ${variant}`);
  const hysteresisUsd = formulation.hysteresisUsd ?? 0;
  if (!(hysteresisUsd >= 0 && Number.isFinite(hysteresisUsd)))
    throw new ConfigError('hysteresisUsd', `must be USD of 0 or more, not ${hysteresisUsd}`);
  const [M, R, K, W] = [
    problem.models.length,
    problem.regions.length,
    problem.skus.length,
    problem.demandTokensPerS.length,
  ];
  const windowHours = (problem.windowMs ?? 3_600_000 / W) / 3_600_000;
  const pairs = M * K;
  const capacity = new Float64Array(pairs);
  const gpus = new Float64Array(pairs);
  const belowUsd = new Float64Array(pairs);
  const aboveUsd = new Float64Array(pairs);
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) {
      const p = m * K + k;
      const usd = problem.usdPerInstanceHour.at(m, 0, k);
      capacity[p] = microOf(decimalOf(problem.tokensPerSPerInstance.at(m, 0, k)), 'down');
      gpus[p] = problem.gpusPerInstance.at(m, 0, k);
      belowUsd[p] = usd - hysteresisUsd;
      aboveUsd[p] = usd + problem.startUsd.at(m, 0, k) + hysteresisUsd;
    }
  }
  const unmetUsd = unmetPrices(formulation, capacity, aboveUsd);
  const demand = problem.demandTokensPerS.map((grid) => grid.values.map((x) => microOf(decimalOf(x), 'up')));
  const fastShare = problem.interactiveFastShare?.values ?? new Float64Array(M * R).fill(1);
  const flow = variant === 'flows' || variant === 'lead-time' ? problem.flowUsdPerMillionTokens : undefined;
  const flowUsd = flow?.values.map((usd) => usd * USD_PER_MICRO_HOUR);
  const draft = {
    problem,
    variant,
    models: M,
    regions: R,
    skus: K,
    windows: W,
    windowHours,
    fastShare,
    flowUsd,
    unmetUsd,
    demand,
    due: dueByWindow(problem, windowHours),
  };
  const covers = variant === 'lead-time' ? [] : coversOf(draft);
  const lower = Float64Array.from(problem.minInstances.values);
  const upper = new Float64Array(M * R * K);
  for (let m = 0; m < M; m++) {
    const most =
      variant === 'lead-time'
        ? mostByWindow(draft, m)
        : Math.max(0, ...covers.filter((cover) => cover.model === m).map((cover) => cover.required));
    for (let r = 0; r < R; r++) {
      for (let k = 0; k < K; k++) {
        const e = (m * R + r) * K + k;
        const held = problem.current.values[e];
        const runs = capacity[m * K + k] > 0;
        const useful = runs ? Math.max(held, lower[e], Math.ceil(most / capacity[m * K + k])) : held;
        const cap = variant === 'artifact' ? Infinity : problem.gpuCapacity.at(0, r, k);
        const fits = gpus[m * K + k] > 0 ? Math.floor(cap / gpus[m * K + k]) : Infinity;
        upper[e] = Math.min(problem.maxInstances.values[e], useful, fits);
      }
    }
  }
  const flowPriced = flowUsd?.some((usd) => usd > 0 && usd < Infinity) ?? false;
  const gpuCapacity = variant === 'artifact' ? new Float64Array(R * K).fill(Infinity) : problem.gpuCapacity.values;
  return {
    ...draft,
    current: problem.current.values,
    lower,
    upper,
    capacity,
    gpus,
    gpuCapacity,
    belowUsd,
    aboveUsd,
    hysteresisUsd,
    covers,
    flowPriced,
  };
}

function microOf(value: Decimal, rounding: 'up' | 'down'): number {
  return Number(scaled(value, MICRO_PLACES, rounding));
}

function unmetPrices(
  { unmetUsdPerMillionTokens: given = {} }: PlacementFormulation,
  capacity: Float64Array,
  aboveUsd: Float64Array,
): PlacementTask['unmetUsd'] {
  for (const [name, usd] of Object.entries(given))
    if (usd !== undefined && !(usd >= 0 && Number.isFinite(usd)))
      throw new ConfigError(`unmetUsdPerMillionTokens.${name}`, `must be USD of 0 or more, not ${usd}`);
  let dearest = 0;
  for (const [p, micro] of capacity.entries()) if (micro > 0) dearest = Math.max(dearest, aboveUsd[p] / micro);
  // Without a price on instances, any price on what is unmet will do.
  if (dearest === 0) dearest = 1 / MICRO;
  const price = (name: keyof UnmetPrices, multiple: number): number =>
    given[name] === undefined ? multiple * dearest : given[name] * USD_PER_MICRO_HOUR;
  return {
    fast: price('interactiveFast', 1_000),
    normal: price('interactiveNormal', 300),
    deferrable: price('nonInteractive', 100),
    local: price('localShare', 30),
    perInstance: 1_000 * Math.max(1, ...aboveUsd),
  };
}

/** Tokens due by the end of each window, in micro-tokens/s over one window. */
function dueByWindow(problem: PlacementProblem, windowHours: number): Float64Array {
  const W = problem.demandTokensPerS.length;
  const horizonMs = W * windowHours * 3_600_000;
  const due = new Float64Array(problem.models.length * W);
  for (const [at, { modelId, tokens, dueInMs }] of (problem.deferrable ?? []).entries()) {
    const owed = dueInMs > horizonMs ? (tokens * horizonMs) / dueInMs : tokens;
    const w = Math.min(W - 1, Math.max(0, Math.ceil((dueInMs / horizonMs) * W - 1e-9) - 1));
    const rate = owed / (windowHours * 3_600);
    if (rate > LARGEST_TOKENS_PER_S)
      throw new ConfigError(
        `deferrable[${at}].tokens`,
        `are ${rate} tokens/s over one window, more than ${LARGEST_TOKENS_PER_S}`,
      );
    due[problem.models.indexOf(modelId) * W + w] += Math.ceil(rate * MICRO);
  }
  for (let m = 0; m < problem.models.length; m++) for (let w = 1; w < W; w++) due[m * W + w] += due[m * W + w - 1];
  return due;
}

type Draft = Pick<
  PlacementTask,
  | 'problem'
  | 'variant'
  | 'models'
  | 'regions'
  | 'skus'
  | 'windows'
  | 'fastShare'
  | 'flowUsd'
  | 'unmetUsd'
  | 'demand'
  | 'due'
>;

function coversOf(draft: Draft): Cover[] {
  const { problem, variant, regions: R } = draft;
  const share = variant === 'artifact' ? decimalOf(1) : decimalOf(problem.localShare);
  const covers: Cover[] = [];
  for (const [m, model] of problem.models.entries()) {
    for (const [r, region] of problem.regions.entries()) {
      const peak = largest(problem.demandTokensPerS.map((_, w) => worstOf(problem, m, [r], w)));
      const required = microOf(times(share, peak), 'up');
      const shortage: ShortageStep[] = [{ kind: 'local-share', most: required, usdPerMicro: draft.unmetUsd.local }];
      if (required > 0)
        covers.push({
          kind: 'local-service',
          name: `local service of ${model} in ${region}`,
          model: m,
          regions: [r],
          required,
          expected: required,
          shortage,
        });
    }
    if (variant === 'artifact') continue;
    const everywhere = Array.from({ length: R }, (_, r) => r);
    covers.push(...coverOf(draft, m, everywhere, everywhere, 'global-service', `global service of ${model}`));
    for (const allowed of closedSets(draft, m))
      covers.push(
        ...coverOf(
          draft,
          m,
          originsWithin(draft, m, allowed),
          allowed,
          'residency',
          `residency of ${model} in ${allowed.map((r) => problem.regions[r]).join(' + ')}`,
        ),
      );
  }
  return covers;
}

/**
 * What regions `origins` need of regions `serving` at the worst window, deferrable work too where
 * all serve.
 */
function coverOf(
  draft: Draft,
  model: number,
  origins: readonly number[],
  serving: readonly number[],
  kind: Cover['kind'],
  name: string,
): Cover[] {
  const { problem, regions: R } = draft;
  const byWindow = problem.demandTokensPerS.map((_, w) => worstOf(problem, model, origins, w));
  const peak = largest(byWindow);
  const most = microOf(withDue(draft, model, serving, byWindow), 'up');
  const withoutBudget = { ...problem, demandBudget: undefined };
  const expected =
    problem.demandBudget === undefined
      ? most
      : microOf(
          withDue(
            draft,
            model,
            serving,
            byWindow.map((_, w) => worstOf(withoutBudget, model, origins, w)),
          ),
          'up',
        );
  if (most === 0) return [];
  const interactive = microOf(peak, 'up');
  let fast = 0;
  for (const r of origins)
    fast += maxOf(draft.demand.map((window) => window[model * R + r] * draft.fastShare[model * R + r]));
  fast = Math.min(Math.round(fast), interactive);
  const { unmetUsd } = draft;
  const shortage: ShortageStep[] = [
    { kind: 'non-interactive' as const, most: most - interactive, usdPerMicro: unmetUsd.deferrable },
    { kind: 'interactive-normal' as const, most: interactive - fast, usdPerMicro: unmetUsd.normal },
    { kind: 'interactive-fast' as const, most: fast, usdPerMicro: unmetUsd.fast },
  ]
    .filter((step) => step.most > 0)
    .sort((a, b) => a.usdPerMicro - b.usdPerMicro);
  return [{ kind, name, model, regions: serving, required: most, expected, shortage }];
}

/** The peak over windows, or more where deferrable work asks for it. */
function withDue(
  { due, windows: W, regions: R }: Draft,
  model: number,
  serving: readonly number[],
  byWindow: readonly Decimal[],
): Decimal {
  let required = largest(byWindow);
  if (serving.length < R) return required;
  // With one capacity for all windows, work fits before its deadlines if, and only if, what is left
  // over up to each deadline is enough (earliest deadline first).
  let sum = ZERO;
  for (let w = 0; w < W; w++) {
    sum = plus(sum, byWindow[w]);
    const owed = { digits: BigInt(due[model * W + w]), places: MICRO_PLACES };
    if (owed.digits > 0n) required = largest([required, dividedUp(plus(sum, owed), decimalOf(w + 1), MICRO_PLACES)]);
  }
  return required;
}

/**
 * Demand of a model over regions in a window; with a budget Γ, as many of the regions as it says at
 * their worst.
 */
function worstOf(
  problem: Omit<PlacementProblem, 'demandBudget'> & { readonly demandBudget?: number | undefined },
  model: number,
  regions: readonly number[],
  window: number,
): Decimal {
  let sum = ZERO;
  for (const r of regions) sum = plus(sum, decimalOf(problem.demandTokensPerS[window].at(model, r, 0)));
  const { demandExcessTokensPerS: excess, demandBudget: budget } = problem;
  if (excess === undefined || budget === undefined) return sum;
  const worst = regions.map((r) => decimalOf(excess[window].at(model, r, 0))).sort((a, b) => compare(b, a));
  for (const [at, more] of worst.entries())
    if (at < budget) sum = plus(sum, at + 1 <= budget ? more : times(more, decimalOf(budget - at)));
  return sum;
}

/**
 * Most distinct unions of residency sets for which covers are written down; flows find the others.
 */
const MOST_CLOSED_SETS = 64;

/**
 * Unions of the sets of regions that origins allow, but for the whole. Gale's condition: all demand
 * can be served if each of them can carry those origins that allow nothing else.
 */
function closedSets(draft: Draft, model: number): number[][] {
  const { flowUsd, regions: R } = draft;
  if (flowUsd === undefined) return [];
  const setOf = (origin: number): number[] =>
    Array.from({ length: R }, (_, r) => r).filter((r) => flowUsd[(model * R + origin) * R + r] < Infinity);
  const found = new Map<string, number[]>();
  const single = Array.from({ length: R }, (_, r) => setOf(r));
  const queue = [...single];
  while (queue.length > 0 && found.size < MOST_CLOSED_SETS) {
    const set = queue.shift()!;
    if (set.length === R || found.has(set.join())) continue;
    for (const other of [...single, ...found.values()]) {
      const union = [...new Set([...set, ...other])].sort((a, b) => a - b);
      if (!found.has(union.join())) queue.push(union);
    }
    found.set(set.join(), set);
  }
  return [...found.values()];
}

function originsWithin({ flowUsd, regions: R }: Draft, model: number, serving: readonly number[]): number[] {
  const within = (origin: number): boolean => {
    for (let r = 0; r < R; r++)
      if (flowUsd![(model * R + origin) * R + r] < Infinity && !serving.includes(r)) return false;
    return true;
  };
  return Array.from({ length: R }, (_, r) => r).filter(within);
}

function mostByWindow({ demand, regions: R, windows: W, due, problem }: Draft, model: number): number {
  let most = 0;
  for (const [w, window] of demand.entries()) {
    let sum = due[model * W + W - 1];
    for (let r = 0; r < R; r++)
      sum +=
        window[model * R + r] + microOf(decimalOf(problem.demandExcessTokensPerS?.[w]!.at(model, r, 0) ?? 0), 'up');
    most = Math.max(most, sum);
  }
  return most;
}

/** A cover that residency needs and the task did not write down. */
export function withCover(task: PlacementTask, model: number, serving: readonly number[]): PlacementTask {
  const name =
    `residency of ${task.problem.models[model]} in ` + serving.map((r) => task.problem.regions[r]).join(' + ');
  return {
    ...task,
    covers: [...task.covers, ...coverOf(task, model, originsWithin(task, model, serving), serving, 'residency', name)],
  };
}

/** Decimal USD an hour for holding an instance, starting one, and changing one. */
export function exactPrices(
  task: PlacementTask,
  model: number,
  sku: number,
): { readonly hold: Decimal; readonly start: Decimal; readonly change: Decimal } {
  const { problem } = task;
  return {
    hold: decimalOf(problem.usdPerInstanceHour.at(model, 0, sku)),
    start: decimalOf(problem.startUsd.at(model, 0, sku)),
    change: decimalOf(task.hysteresisUsd),
  };
}
