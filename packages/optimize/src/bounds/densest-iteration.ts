import type { EngineLimits, WorkPrices } from './engine-work.js';

/** What one iteration does, and how long its GPUs take for it. */
export interface Iteration {
  readonly promptTokens: number;
  readonly decodes: number;
  readonly contextTokens: number;
  readonly gpuMs: number;
}

/** Iterations from `low` to `high` in each kind of work. */
interface Box {
  readonly low: readonly [number, number, number];
  readonly high: readonly [number, number, number];
  /** No iteration in it is worth more for its time. */
  readonly density: number;
}

const MOST_BOXES = 200_000;

/**
 * The iteration that is worth most for its time at some prices, and a density (1 is fair) that none
 * exceeds, to a relative `gap`. Since an iteration does not get shorter with more work, all of a box
 * take at least the time of its lowest corner and are worth at most its highest: boxes are halved,
 * the most promising first.
 */
export function densestIteration(
  prices: WorkPrices,
  limits: EngineLimits,
  gap: number,
): { readonly iteration: Iteration; readonly density: number } {
  const { performance, gpusPerInstance, maxBatchTokens, maxBatchRequests, chunkedPrefill } = limits;
  const memory = Math.floor(performance.kvCapacityTokens);
  const most = Math.min(maxBatchTokens, memory);
  const worth = ([prompt, decodes, context]: Box['low']): number =>
    prompt * prices.promptToken + decodes * prices.decode + context * prices.contextToken;
  const gpuMs = ([prompt, decodes, context]: Box['low']): number => {
    let ms = Infinity;
    // How many prompts there are changes little and not in one direction: the best of all.
    for (let count = 1; ; count *= 2) {
      const requests = prompt === 0 ? 0 : Math.min(count, prompt);
      ms = Math.min(ms, performance.iterationMs(prompt, decodes, context, 0, requests));
      if (count >= prompt) return gpusPerInstance * ms;
    }
  };
  const boxOf = (low: Box['low'], high: Box['high']): Box | undefined => {
    const [prompt, decodes, context] = low;
    if (chunkedPrefill && prompt + decodes > maxBatchTokens) return undefined;
    if (prompt + context > memory) return undefined;
    const highest = [
      Math.min(high[0], memory - context, chunkedPrefill ? maxBatchTokens - decodes : Infinity),
      // A decode reads a token at least.
      Math.min(high[1], high[2], chunkedPrefill ? maxBatchTokens - prompt : Infinity),
      Math.min(high[2], memory - prompt),
    ] as const;
    if (highest[1] < decodes || highest[2] < Math.max(context, decodes)) return undefined;
    if (highest[0] + highest[1] === 0) return undefined;
    // Nothing to do takes no time: of such a corner the least that there is counts.
    const least = prompt + decodes === 0 ? ([0, 1, 1] as const) : low;
    const other = prompt + decodes === 0 && highest[0] > 0 ? gpuMs([1, 0, 0]) : Infinity;
    const ms = highest[1] === 0 && prompt + decodes === 0 ? other : Math.min(gpuMs(least), other);
    return { low, high: highest, density: worth(highest) / ms };
  };
  const decodes = Math.min(maxBatchRequests, most);
  const boxes: Box[] = [];
  const add = (box: Box | undefined): void => {
    if (box === undefined) return;
    let at = boxes.push(box) - 1;
    // A heap: the densest first.
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (boxes[parent]!.density >= box.density) break;
      boxes[at] = boxes[parent]!;
      at = parent;
    }
    boxes[at] = box;
  };
  const take = (): Box => {
    const top = boxes[0]!;
    const last = boxes.pop()!;
    if (boxes.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= boxes.length) break;
      if (child + 1 < boxes.length && boxes[child + 1]!.density > boxes[child]!.density) child++;
      if (boxes[child]!.density <= last.density) break;
      boxes[at] = boxes[child]!;
      at = child;
    }
    boxes[at] = last;
    return top;
  };
  let best: Iteration | undefined;
  let bestDensity = 0;
  const look = (point: Box['low']): void => {
    const [promptTokens, batch, contextTokens] = point;
    if (promptTokens + batch === 0 || contextTokens < batch || (batch === 0) !== (contextTokens === 0)) return;
    const ms = gpuMs(point);
    const density = worth(point) / ms;
    if (density <= bestDensity) return;
    bestDensity = density;
    best = { promptTokens, decodes: batch, contextTokens, gpuMs: ms };
  };
  // Without decodes there is no context to read.
  add(boxOf([0, 0, 0], [most, 0, 0]));
  add(boxOf([0, 1, 1], [most, decodes, memory]));
  for (let n = 0; n < MOST_BOXES; n++) {
    const box = take();
    look(box.high);
    look(box.low);
    if (best !== undefined && box.density <= bestDensity * (1 + gap)) return { iteration: best, density: box.density };
    const widths = box.high.map((high, d) => (high - box.low[d]!) / (high + 1));
    const d = widths.indexOf(Math.max(...widths));
    const middle = Math.floor((box.low[d]! + box.high[d]!) / 2);
    if (box.high[d]! > box.low[d]!) {
      add(boxOf(box.low, box.high.with(d, middle) as unknown as Box['high']));
      add(boxOf(box.low.with(d, middle + 1) as unknown as Box['low'], box.high));
    } else if (boxes.length === 0) return { iteration: best!, density: box.density };
    if (boxes.length === 0) return { iteration: best!, density: bestDensity };
  }
  return { iteration: best!, density: boxes[0]!.density };
}
