import { type DeploymentPerformance, square } from '@sageserve/core';

/**
 * The least that a unit of each kind of work costs, such that no iteration does its own for less.
 */
export interface WorkPrices {
  readonly promptToken: number;
  readonly decode: number;
  readonly contextToken: number;
}

/** A deployment's engine, and what its iterations hold. */
export interface EngineLimits {
  readonly performance: Pick<DeploymentPerformance, 'kvCapacityTokens' | 'iterationMs'>;
  readonly gpusPerInstance: number;
  /** `Infinity` where there is no limit. */
  readonly maxBatchTokens: number;
  readonly maxBatchRequests: number;
  readonly chunkedPrefill: boolean;
}

/**
 * Tokens that an iteration never exceeds: where prompts are not cut, one of any length is taken
 * whole, and decodes beside it are not counted.
 */
export function budgetOf({ chunkedPrefill, maxBatchTokens }: EngineLimits): number {
  return chunkedPrefill ? maxBatchTokens : Infinity;
}

/** What one iteration does, and how long its GPUs take for it. */
export interface Iteration {
  readonly promptTokens: number;
  readonly decodes: number;
  readonly contextTokens: number;
  readonly gpuMs: number;
}

/**
 * Iterations by prompt tokens and decodes, from the fewest to the most, whatever context they read.
 */
interface Box {
  readonly prompt: readonly [low: number, high: number];
  readonly decodes: readonly [low: number, high: number];
  /** No iteration in it is worth more for its time. */
  readonly density: number;
}

/** Amounts of context at which iterations of a box are looked at. */
const CONTEXTS = 16;
const MOST_BOXES = 100_000;

/**
 * The iteration that is worth most for its time at some prices, and a density (1 is fair) that none
 * exceeds, to a relative `gap`. An iteration does not get shorter with more prompt tokens or more
 * decodes, so that all of a box take at least the time of its lowest corner: boxes are halved, the
 * most promising first. In the context that is read its time is taken to be convex, as that of
 * traffic to and from memory is, alone or against arithmetic.
 */
export function densestIteration(
  prices: WorkPrices,
  limits: EngineLimits,
  gap: number,
): { readonly iteration: Iteration; readonly density: number } {
  const { performance, gpusPerInstance, maxBatchRequests } = limits;
  const memory = Math.floor(performance.kvCapacityTokens);
  const budget = budgetOf(limits);
  const mostPrompt = Math.min(budget, memory - 1);
  const mostDecodes = Math.max(1, Math.min(maxBatchRequests, budget, memory));
  let best: Iteration | undefined;
  let bestDensity = 0;

  const gpuMs = (prompt: number, decodes: number, context: number): number => {
    let ms = Infinity;
    // How many prompts there are changes little and not in one direction: the best of some.
    for (let count = 1; ; count *= 4) {
      const requests = prompt === 0 ? 0 : Math.min(count, prompt);
      ms = Math.min(ms, performance.iterationMs(prompt, decodes, context, 0, requests));
      if (count >= prompt) return gpusPerInstance * ms;
    }
  };
  const look = (prompt: number, decodes: number, context: number): void => {
    const worth = prompt * prices.promptToken + decodes * prices.decode + context * prices.contextToken;
    const ms = gpuMs(prompt, decodes, context);
    if (worth <= bestDensity * ms) return;
    bestDensity = worth / ms;
    best = { promptTokens: prompt, decodes, contextTokens: context, gpuMs: ms };
  };
  const boxOf = (prompt: Box['prompt'], decodes: Box['decodes']): Box | undefined => {
    const highPrompt = Math.min(prompt[1], budget - decodes[0], memory - decodes[0]);
    const highDecodes = Math.min(decodes[1], budget - prompt[0], memory - prompt[0]);
    if (highPrompt < prompt[0] || highDecodes < decodes[0] || highPrompt + highDecodes === 0) return undefined;
    const box = (density: number): Box => ({
      prompt: [prompt[0], highPrompt],
      decodes: [decodes[0], highDecodes],
      density,
    });
    // Of the corners that the budget cuts off, the better one.
    const tokensWorth = Math.max(
      highPrompt * prices.promptToken + Math.min(highDecodes, budget - highPrompt) * prices.decode,
      Math.min(highPrompt, budget - highDecodes) * prices.promptToken + highDecodes * prices.decode,
    );
    if (highDecodes === 0) {
      look(highPrompt, 0, 0);
      return box(tokensWorth / gpuMs(Math.max(1, prompt[0]), 0, 0));
    }
    const low = Math.max(1, decodes[0]);
    const high = memory - prompt[0];
    // Close to one another where there is little to read.
    const at = (c: number): number => low + (high - low) * square(c / CONTEXTS);
    let density =
      decodes[0] === 0 && highPrompt > 0 ? (highPrompt * prices.promptToken) / gpuMs(Math.max(1, prompt[0]), 0, 0) : 0;
    let msPerToken = 0;
    let ms = gpuMs(prompt[0], low, low);
    for (let c = 0; c < CONTEXTS; c++) {
      // A convex curve lies above the continuation of the chord before.
      const length = at(c + 1) - at(c);
      const msAtEnd = ms + msPerToken * length;
      // A ratio of lines is greatest at an end.
      density = Math.max(
        density,
        (tokensWorth + prices.contextToken * at(c)) / ms,
        (tokensWorth + prices.contextToken * at(c + 1)) / msAtEnd,
      );
      const next = gpuMs(prompt[0], low, at(c + 1));
      msPerToken = length > 0 ? Math.max(0, next - ms) / length : 0;
      ms = next;
    }
    for (const context of [high, Math.floor((low + high) / 2), Math.max(low, highDecodes)])
      look(Math.min(highPrompt, budget - highDecodes, memory - context), highDecodes, Math.max(context, highDecodes));
    return box(density);
  };

  const boxes = new Densest();
  boxes.add(boxOf([0, mostPrompt], [0, 0]));
  boxes.add(boxOf([0, mostPrompt], [1, mostDecodes]));
  for (let n = 0; n < MOST_BOXES; n++) {
    const box = boxes.take();
    if (box === undefined) return { iteration: best!, density: bestDensity };
    if (box.density <= bestDensity * (1 + gap)) return { iteration: best!, density: box.density };
    const [promptWidth, decodesWidth] = [box.prompt, box.decodes].map(([low, high]) => (high - low) / (low + 16));
    if (promptWidth === 0 && decodesWidth === 0) return { iteration: best!, density: box.density };
    const split = ([low, high]: readonly [number, number]): [[number, number], [number, number]] => {
      const middle = Math.floor((low + high) / 2);
      return [
        [low, middle],
        [middle + 1, high],
      ];
    };
    if (promptWidth >= decodesWidth) for (const half of split(box.prompt)) boxes.add(boxOf(half, box.decodes));
    else for (const half of split(box.decodes)) boxes.add(boxOf(box.prompt, half));
  }
  return { iteration: best!, density: boxes.take()?.density ?? bestDensity };
}

/** Boxes, the densest first. */
class Densest {
  readonly #heap: Box[] = [];

  add(box: Box | undefined): void {
    if (box === undefined) return;
    const heap = this.#heap;
    let at = heap.push(box) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent].density >= box.density) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = box;
  }

  take(): Box | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].density > heap[child].density) child++;
      if (heap[child].density <= last.density) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
