import javascriptLpSolver, { type Model } from 'javascript-lp-solver';
import { budgetOf, densestIteration, type EngineLimits, type Iteration, type WorkPrices } from './densest-iteration.js';

// Its types describe CommonJS; as an ES module the default export is the solver itself.
const lpSolver = javascriptLpSolver as unknown as typeof javascriptLpSolver.default;

/**
 * What requests ask of instances, whoever serves them and however: an iteration does some of each.
 */
export interface Work {
  readonly promptTokens: number;
  /** Output tokens but the first of each request, which comes with its prompt. */
  readonly decodes: number;
  /** Context that those decodes read, in tokens: prompt and answer so far, for each. */
  readonly contextTokens: number;
}

/** Prices are within this of the best there are. */
const GAP = 0.01;
const MOST_ROUNDS = 60;

/**
 * Prices such that work costs at least its price in GPU-milliseconds on any mix of deployments, in
 * any iterations: the dual of the linear program that fills iterations with work, as high as `work`
 * allows. They are within 1 % of the optimum, and on the safe side.
 */
export function workPrices(work: Work, deployments: readonly EngineLimits[]): WorkPrices {
  const found: Iteration[] = deployments.flatMap(firstIterations);
  for (let round = 0; ; round++) {
    const prices = bestPrices(work, found);
    let most = 0;
    let densest: Iteration | undefined;
    for (const deployment of deployments) {
      const { iteration, density } = densestIteration(prices, deployment, GAP / 2);
      if (density <= most) continue;
      most = density;
      densest = iteration;
    }
    // No iteration does more than `most` times what it is priced at.
    // Where the one that was found is priced fairly, another round would find the same.
    const isFair = densest === undefined || costOf(densest, prices) <= densest.gpuMs * (1 + GAP / 2);
    if (most <= 1 + GAP || isFair || round === MOST_ROUNDS) return scaled(prices, 1 / most);
    found.push(densest!);
  }
}

/** What some work costs at least. */
export function costOf(work: Work, { promptToken, decode, contextToken }: WorkPrices): number {
  return work.promptTokens * promptToken + work.decodes * decode + work.contextTokens * contextToken;
}

function scaled({ promptToken, decode, contextToken }: WorkPrices, factor: number): WorkPrices {
  return { promptToken: promptToken * factor, decode: decode * factor, contextToken: contextToken * factor };
}

/** Iterations that keep every price finite. */
function firstIterations(limits: EngineLimits): Iteration[] {
  const { performance, gpusPerInstance, maxBatchRequests } = limits;
  const memory = Math.floor(performance.kvCapacityTokens);
  const prompt = Math.min(budgetOf(limits), memory);
  const decodes = Math.max(1, Math.min(maxBatchRequests, budgetOf(limits), memory));
  return [
    [prompt, 0, 0],
    [0, decodes, memory],
  ].map(([promptTokens, batch, context]) => ({
    promptTokens: promptTokens,
    decodes: batch,
    contextTokens: context,
    gpuMs: gpusPerInstance * performance.iterationMs(promptTokens, batch, context, 0, promptTokens > 0 ? 1 : 0),
  }));
}

/** The highest prices for `work` at which none of the iterations does more than it lasts. */
function bestPrices(work: Work, iterations: readonly Iteration[]): WorkPrices {
  // In units of the work, so that all figures are near one another.
  const unit = {
    promptToken: 1 / Math.max(1, work.promptTokens),
    decode: 1 / Math.max(1, work.decodes),
    contextToken: 1 / Math.max(1, work.contextTokens),
  };
  const total = iterations.reduce((least, { gpuMs }) => Math.min(least, gpuMs), Infinity);
  const of = (kind: 'promptTokens' | 'decodes' | 'contextTokens', per: number): Record<string, number> => ({
    value: work[kind] * per,
    ...Object.fromEntries(iterations.map((one, i) => [`i${i}`, (one[kind] * per) / (one.gpuMs / total)])),
  });
  const model: Model = {
    optimize: 'value',
    opType: 'max',
    constraints: Object.fromEntries(iterations.map((_, i) => [`i${i}`, { max: 1 }])),
    variables: {
      promptToken: of('promptTokens', unit.promptToken),
      decode: of('decodes', unit.decode),
      contextToken: of('contextTokens', unit.contextToken),
    },
  };
  const answer = lpSolver.Solve(model) as Record<string, number | undefined>;
  const price = (name: keyof typeof unit): number => (answer[name] ?? 0) * unit[name] * total;
  return { promptToken: price('promptToken'), decode: price('decode'), contextToken: price('contextToken') };
}
