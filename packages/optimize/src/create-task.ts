import { ConfigError, type PlacementProblem } from '@sageserve/core';
import { checkProblem, LARGEST_TOKENS_PER_S } from './check-problem.js';
import { coversOf, type Draft } from './covers.js';
import { decimalOf } from './exact.js';
import {
  MICRO,
  microOf,
  type PlacementFormulation,
  type PlacementTask,
  type UnmetPrices,
  USD_PER_MICRO_HOUR,
} from './task.js';

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
