import { ConfigError, PlacementGrid, type PlacementProblem } from '@sageserve/core';

/** Tokens/s beyond which counting them in millionths is no longer exact. */
export const LARGEST_TOKENS_PER_S = 1e9;
const LARGEST_INSTANCES = 1e6;
const LARGEST_USD = 1e12;

type Name = (model: number, region: number, sku: number) => string;

/**
 * Throws `ConfigError`, naming the entry and its ids, where a problem contradicts itself: a grid of
 * the wrong shape, NaN, a negative or absurd number, a fraction of an instance, min > max.
 */
export function checkProblem(problem: PlacementProblem): void {
  const { models, regions, skus } = problem;
  const [M, R, K] = [models.length, regions.length, skus.length];
  for (const [name, ids] of Object.entries<readonly string[]>({ models, regions, skus })) {
    if (ids.length === 0) throw new ConfigError(name, 'must not be empty');
    const twice = ids.find((id, at) => ids.indexOf(id) !== at);
    if (twice !== undefined) throw new ConfigError(name, `names ${twice} twice`);
  }
  const full: Name = (m, r, k) => `${models[m]}, ${regions[r]}, ${skus[k]}`;
  const byModelAndSku: Name = (m, _, k) => `${models[m]}, ${skus[k]}`;
  const byModelAndRegion: Name = (m, r) => `${models[m]}, ${regions[r]}`;

  check('current', problem.current, [M, R, K], full, instances);
  check('minInstances', problem.minInstances, [M, R, K], full, instances);
  check('maxInstances', problem.maxInstances, [M, R, K], full, instancesOrAny);
  check(
    'tokensPerSPerInstance',
    problem.tokensPerSPerInstance,
    [M, 1, K],
    byModelAndSku,
    between(0, LARGEST_TOKENS_PER_S, 'tokens/s, 0 where the model cannot run'),
  );
  check('gpusPerInstance', problem.gpusPerInstance, [M, 1, K], byModelAndSku, instances);
  check('gpuCapacity', problem.gpuCapacity, [1, R, K], (_, r, k) => `${regions[r]}, ${skus[k]}`, instancesOrAny);
  check('startUsd', problem.startUsd, [M, 1, K], byModelAndSku, between(0, LARGEST_USD, 'USD'));
  check('usdPerInstanceHour', problem.usdPerInstanceHour, [M, 1, K], byModelAndSku, between(0, LARGEST_USD, 'USD'));

  const demand = between(0, LARGEST_TOKENS_PER_S, 'tokens/s');
  if (problem.demandTokensPerS.length === 0) throw new ConfigError('demandTokensPerS', 'must have at least one window');
  for (const [w, grid] of problem.demandTokensPerS.entries())
    check(`demandTokensPerS[${w}]`, grid, [M, R, 1], byModelAndRegion, demand);
  const { demandExcessTokensPerS: excess, demandBudget: budget } = problem;
  if ((excess === undefined) !== (budget === undefined))
    throw new ConfigError(
      excess === undefined ? 'demandExcessTokensPerS' : 'demandBudget',
      'must be given too: one has no meaning without the other',
    );
  if (excess !== undefined) {
    if (excess.length !== problem.demandTokensPerS.length)
      throw new ConfigError(
        'demandExcessTokensPerS',
        `must have as many windows as demandTokensPerS, ${problem.demandTokensPerS.length}, not ${excess.length}`,
      );
    for (const [w, grid] of excess.entries())
      check(`demandExcessTokensPerS[${w}]`, grid, [M, R, 1], byModelAndRegion, demand);
  }
  if (budget !== undefined && !(budget >= 1 && Number.isFinite(budget)))
    throw new ConfigError('demandBudget', `must be a number of regions, 1 or more, not ${budget}`);
  if (!(problem.localShare >= 0 && problem.localShare <= 1))
    throw new ConfigError('localShare', `must be a share from 0 to 1, not ${problem.localShare}`);
  if (problem.windowMs !== undefined && !(problem.windowMs >= 1 && Number.isFinite(problem.windowMs)))
    throw new ConfigError('windowMs', `must be 1 ms or more, not ${problem.windowMs}`);
  if (problem.interactiveFastShare !== undefined)
    check('interactiveFastShare', problem.interactiveFastShare, [M, R, 1], byModelAndRegion, between(0, 1, 'a share'));
  if (problem.provisioningWindows !== undefined)
    check(
      'provisioningWindows',
      problem.provisioningWindows,
      [1, R, K],
      (_, r, k) => `${regions[r]}, ${skus[k]}`,
      instances,
    );
  if (problem.flowUsdPerMillionTokens !== undefined) checkFlows(problem, problem.flowUsdPerMillionTokens);
  for (const [d, { modelId, tokens, dueInMs }] of (problem.deferrable ?? []).entries()) {
    if (!models.includes(modelId))
      throw new ConfigError(`deferrable[${d}].modelId`, `is ${modelId}, which is not among the models`, {
        hint: `Models: ${models.join(', ')}.`,
      });
    if (!(tokens >= 0 && tokens <= 1e15))
      throw new ConfigError(`deferrable[${d}].tokens`, `must be tokens from 0 to 1e15, not ${tokens}`);
    if (!(dueInMs > 0 && Number.isFinite(dueInMs)))
      throw new ConfigError(`deferrable[${d}].dueInMs`, `must be more than 0 ms, not ${dueInMs}`, {
        hint: 'What is overdue is due in the first window.',
      });
  }
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) {
      const runs = problem.tokensPerSPerInstance.at(m, 0, k) > 0;
      for (let r = 0; r < R; r++) {
        const fewest = problem.minInstances.at(m, r, k);
        const most = problem.maxInstances.at(m, r, k);
        if (fewest > most)
          throw new ConfigError(`minInstances[${full(m, r, k)}]`, `is ${fewest}, more than maxInstances, ${most}`);
        if (!runs && fewest > problem.current.at(m, r, k))
          throw new ConfigError(
            `minInstances[${full(m, r, k)}]`,
            `is ${fewest}, but ${models[m]} cannot run on ${skus[k]} and ${problem.current.at(m, r, k)} are there`,
            {
              hint: 'Ask for 0, or give the pair its tokensPerSPerInstance.',
            },
          );
      }
    }
  }
}

function checkFlows(problem: PlacementProblem, prices: PlacementGrid): void {
  const { models, regions } = problem;
  const ids: Name = (m, from, to) => `${models[m]}, ${regions[from]} → ${regions[to]}`;
  check('flowUsdPerMillionTokens', prices, [models.length, regions.length, regions.length], ids, (x) =>
    x >= 0 ? undefined : 'must be USD of 0 or more, or Infinity where it is forbidden',
  );
  for (let m = 0; m < models.length; m++)
    for (let r = 0; r < regions.length; r++)
      if (prices.at(m, r, r) !== 0)
        throw new ConfigError(
          `flowUsdPerMillionTokens[${ids(m, r, r)}]`,
          `must be 0, since it is at home, not ${prices.at(m, r, r)}`,
        );
}

function check(
  name: string,
  grid: PlacementGrid,
  [models, regions, skus]: readonly [number, number, number],
  ids: Name,
  wrong: (x: number) => string | undefined,
): void {
  if (!(grid instanceof PlacementGrid) || grid.models !== models || grid.regions !== regions || grid.skus !== skus)
    throw new ConfigError(
      name,
      `must be a grid of ${models} × ${regions} × ${skus}, not ${grid?.models} × ${grid?.regions} × ${grid?.skus}`,
    );
  for (let m = 0; m < models; m++) {
    for (let r = 0; r < regions; r++) {
      for (let k = 0; k < skus; k++) {
        const value = grid.at(m, r, k);
        const what = wrong(value);
        if (what !== undefined) throw new ConfigError(`${name}[${ids(m, r, k)}]`, `${what}, not ${value}`);
      }
    }
  }
}

const between =
  (least: number, most: number, what: string) =>
  (x: number): string | undefined =>
    x >= least && x <= most ? undefined : `must be ${what} from ${least} to ${most}`;

const instances = (x: number): string | undefined =>
  Number.isInteger(x) && x >= 0 && x <= LARGEST_INSTANCES
    ? undefined
    : `must be a whole number from 0 to ${LARGEST_INSTANCES}`;

const instancesOrAny = (x: number): string | undefined =>
  x === Infinity ? undefined : instances(x) && `${instances(x)}, or Infinity`;
