import { DEFAULT_OBJECTIVES, type DeploymentPerformance, WORKLOAD_TIERS } from '@sageserve/core';
import { type TraceRequest, traceFromRequests } from '@sageserve/trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPfScheduler } from '@sageserve/routing';
import { linearPerformance, outcomes, request, testConfig } from './fixtures.js';
import { DEFAULT_ENGINE, type EngineChoice, type EngineOptions, ENGINES, maxBatchTokensOf } from './engine-options.js';
import { simulate } from './simulation.js';

interface Live {
  readonly id: number;
  readonly prompt: number;
  readonly output: number;
  readonly arrivedAtMs: number;
  generated: number;
  prefilled: number;
  /** Tokens to prefill: the prompt, and after a preemption also what had been generated. */
  toPrefill: number;
  firstTokenAtMs: number;
  held: number;
  decoding: boolean;
  readonly rank: number;
  /** Of one that was put back: tokens that were done, and when the last of them is overwritten. */
  kept: number;
  keptUntil: number;
  /** Times between its tokens. */
  readonly gapsMs: number[];
  lastTokenAtMs: number;
}

/**
 * The engine as its documentation describes it, one iteration at a time and with lists: slow and
 * plain, to compare the closed form with.
 */
function stepByStep(
  requests: readonly TraceRequest[],
  options: EngineOptions,
  performance: DeploymentPerformance,
  isByTier: boolean,
): { times: Map<number, readonly [number, number]>; preemptions: number; gapsMs: Map<number, readonly number[]> } {
  const all: Live[] = requests.map((r, id) => ({
    id,
    prompt: r.promptTokens,
    output: r.outputTokens,
    arrivedAtMs: r.arrivedAtMs,
    generated: 0,
    prefilled: 0,
    toPrefill: r.promptTokens,
    firstTokenAtMs: NaN,
    held: 0,
    decoding: false,
    rank: isByTier ? WORKLOAD_TIERS.indexOf(r.tier ?? 'interactive-fast') : 0,
    kept: 0,
    keptUntil: 0,
    gapsMs: [],
    lastTokenAtMs: NaN,
  }));
  const times = new Map<number, readonly [number, number]>();
  const queue: Live[] = [];
  let running: Live[] = [];
  let prefilling: Live[] = [];
  let next = 0;
  let now = 0;
  let preemptions = 0;
  const reserve = options.kvAllocation === 'reserve';
  const maxTokens = maxBatchTokensOf({ performance }, options);
  const maxRequests = options.chunkedPrefill
    ? Math.min(options.maxBatchRequests, maxTokens - 1)
    : options.maxBatchRequests;
  const used = (): number => [...running, ...prefilling, ...queue].reduce((sum, r) => sum + r.held, 0);
  const capacity = performance.kvCapacityTokens;
  /** Tokens that memory was ever given to. */
  let given = 0;
  const inOrder = (a: Live, b: Live): number => a.rank - b.rank || a.arrivedAtMs - b.arrivedAtMs || a.id - b.id;
  const fits = (r: Live): boolean => {
    const busy = running.length + prefilling.length;
    if (busy >= maxRequests) return false;
    if (r.decoding) return used() + r.output - r.generated <= capacity;
    const need = r.toPrefill + 1;
    if (reserve || busy === 0) return used() + need <= capacity;
    return used() + need + busy <= capacity * (1 - options.kvWatermark);
  };
  while (times.size < all.length) {
    while (next < all.length && all[next].arrivedAtMs <= now && now > 0) queue.push(all[next++]);
    if (queue.length + running.length + prefilling.length === 0) {
      // An idle instance starts at once: what arrives at the same moment joins at the next
      // boundary.
      now = Math.max(now, all[next].arrivedAtMs);
      queue.push(all[next++]);
    }
    queue.sort(inOrder);
    // Room for one token each.
    let admits = true;
    while (!reserve && used() + running.length > capacity) {
      const victim = [...running, ...prefilling].sort(inOrder).at(-1)!;
      if (options.keepsPutBack) {
        // Of the last token nothing is in memory yet.
        victim.kept = prefilling.includes(victim) ? victim.prefilled : victim.prompt + victim.generated - 1;
        victim.keptUntil = given + capacity - used();
      }
      running = running.filter((r) => r !== victim);
      prefilling = prefilling.filter((r) => r !== victim);
      victim.prefilled = 0;
      admits = false;
      victim.toPrefill = victim.prompt + victim.generated;
      victim.held = 0;
      queue.push(victim);
      queue.sort(inOrder);
      preemptions++;
    }
    let budget = options.chunkedPrefill ? maxTokens - running.length : maxTokens;
    const chunks = new Map<Live, number>();
    for (const r of prefilling) {
      chunks.set(r, Math.min(budget, r.toPrefill - r.prefilled));
      budget -= chunks.get(r)!;
    }
    while (admits && queue.length > 0) {
      const r = queue[0];
      if (!fits(r)) {
        const evictable = queue.slice(1).filter((q) => q.decoding);
        if (running.length > 0 || prefilling.length > 0 || evictable.length === 0) break;
        const victim = evictable.at(-1)!;
        victim.decoding = false;
        victim.toPrefill = victim.prompt + victim.generated;
        victim.held = 0;
        preemptions++;
        continue;
      }
      if (r.decoding) {
        queue.shift();
        r.held += r.output - r.generated;
        running.push(r);
        continue;
      }
      if (budget <= 0 || (!options.chunkedPrefill && prefilling.length > 0 && r.toPrefill > budget)) break;
      queue.shift();
      const left = Math.min(r.kept - Math.max(0, given - r.keptUntil), r.toPrefill - 1);
      r.prefilled = Math.max(0, 16 * Math.floor(left / 16));
      r.kept = 0;
      r.held = r.toPrefill + 1;
      given += r.toPrefill + 1 - r.prefilled;
      const rest = r.toPrefill - r.prefilled;
      chunks.set(r, options.chunkedPrefill ? Math.min(rest, budget) : rest);
      budget -= chunks.get(r)!;
      prefilling.push(r);
    }
    const tokens = [...chunks.values()].reduce((a, b) => a + b, 0);
    const context = prefilling.reduce((sum, r) => sum + (chunks.get(r)! > 0 ? r.prefilled : 0), 0);
    const kv = running.reduce((sum, r) => sum + r.prompt + r.generated, 0);
    now += performance.iterationMs(tokens, running.length, kv, tokens > 0 ? context : 0, prefilling.length);
    for (const r of running) {
      r.generated++;
      if (!reserve) {
        r.held++;
        given++;
      }
    }
    const finish = (r: Live): void => void times.set(r.id, [r.firstTokenAtMs, now]);
    const token = (r: Live): void => {
      if (r.lastTokenAtMs >= 0) r.gapsMs.push(now - r.lastTokenAtMs);
      r.lastTokenAtMs = now;
    };
    for (const r of running) token(r);
    for (const r of running.filter((x) => x.generated === x.output)) finish(r);
    running = running.filter((r) => r.generated < r.output);
    const stillPrefilling: Live[] = [];
    for (const r of prefilling) {
      r.prefilled += chunks.get(r)!;
      if (r.prefilled < r.toPrefill) {
        stillPrefilling.push(r);
        continue;
      }
      r.prefilled = 0;
      r.generated++;
      token(r);
      if (!(r.firstTokenAtMs >= 0)) r.firstTokenAtMs = now;
      if (r.generated === r.output) finish(r);
      else if (reserve) {
        r.decoding = true;
        queue.push(r);
      } else running.push(r);
    }
    prefilling = stillPrefilling;
  }
  return { times, preemptions, gapsMs: new Map(all.map((r) => [r.id, r.gapsMs])) };
}

/** A token that takes longer is late: between the shortest iterations and those of full batches. */
const SLOW_MS = 7.00031;

async function closedForm(
  requests: readonly TraceRequest[],
  engine: EngineOptions,
  performance: DeploymentPerformance,
  isByTier = false,
) {
  const seen = outcomes();
  const slow = new Map<number, number>();
  const objectives = Object.fromEntries(
    WORKLOAD_TIERS.map((tier) => [tier, { ...DEFAULT_OBJECTIVES[tier], tbtP95Ms: SLOW_MS }]),
  ) as unknown as typeof DEFAULT_OBJECTIVES;
  const { policies, ...rest } = testConfig({ performance, engine, objectives });
  const config = { ...rest, policies: isByTier ? { ...policies, batchScheduler: createPfScheduler() } : policies };
  const result = await simulate(config, traceFromRequests(requests), {
    onRequestEnd(table, slot, ...rest) {
      seen.onRequestEnd(table, slot, ...rest);
      slow.set(table.requestId[slot], table.slowTokens[slot]);
    },
    audit: true,
  });
  return { times: seen.byId, slow, result };
}

const arrivalsOf = (output: fc.Arbitrary<number>, maxLength: number): fc.Arbitrary<TraceRequest[]> =>
  fc
    .array(
      fc.record({
        gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 })),
        prompt: fc.integer({ min: 1, max: 300 }),
        output,
        tier: fc.constantFrom(...WORKLOAD_TIERS),
      }),
      {
        minLength: 1,
        maxLength,
      },
    )
    .map((list) => {
      let at = 0;
      // Off the grid of iteration times, where the two ways of adding up could break a tie
      // differently.
      return list.map(({ gap, prompt, output: tokens, tier }) =>
        request((at += gap === 0 ? 0 : gap + Math.SQRT2 / 1_000), prompt, tokens, { tier }),
      );
    });

/** Some end together. */
const arrivals = arrivalsOf(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(40)), 30);
/** Some decode for longer than an instance looks ahead at once. */
const longArrivals = arrivalsOf(
  fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(2_100), fc.integer({ min: 1_900, max: 4_500 })),
  8,
);

describe('the closed form agrees with stepping every iteration', () => {
  const variants: readonly (readonly [
    name: string,
    options: Partial<EngineOptions>,
    kvCapacity: number,
    traffic?: fc.Arbitrary<TraceRequest[]>,
    isByTier?: boolean,
  ])[] = [
    ['plain', {}, 100_000],
    ['by tier', {}, 100_000, arrivals, true],
    ['by tier, little KV memory', {}, 700, arrivals, true],
    ['by tier, little KV memory and a small budget', { maxBatchTokens: 40, maxBatchRequests: 8 }, 700, arrivals, true],
    ['by tier, all of who is put back anew', { keepsPutBack: false }, 500, arrivals, true],
    ['a budget that prompts fill several times', { maxBatchTokens: 40, maxBatchRequests: 8 }, 100_000],
    ['the same, and little KV memory', { maxBatchTokens: 40, maxBatchRequests: 8 }, 700],
    ['a budget that batches fill', { maxBatchTokens: 6, maxBatchRequests: 5 }, 100_000],
    ['small batches', { maxBatchRequests: 3, maxBatchTokens: 350 }, 100_000],
    ['little KV memory, recompute when full', {}, 700],
    ['chunks and reserved KV memory', { kvAllocation: 'reserve', maxBatchTokens: 64, maxBatchRequests: 16 }, 900],
    ['whole prompts', ENGINES.paper, 100_000],
    ['whole prompts, small batches', { ...ENGINES.paper, maxBatchRequests: 3, maxBatchTokens: 350 }, 100_000],
    ['whole prompts, recompute when full', { ...ENGINES.paper, kvWatermark: 0.05 }, 700],
    ['whole prompts, reserved KV memory', ENGINES.artifact, 900],
    ['long outputs', {}, 100_000, longArrivals],
    ['long outputs, recompute when full', {}, 6_000, longArrivals],
    ['long outputs, reserved KV memory', ENGINES.artifact, 6_000, longArrivals],
  ];
  for (const [name, options, kvCapacity, traffic = arrivals, isByTier = false] of variants) {
    it(name, async () => {
      await fc.assert(
        fc.asyncProperty(traffic, async (requests) => {
          const engine = { ...DEFAULT_ENGINE, ...options };
          const performance = linearPerformance(kvCapacity);
          const want = stepByStep(requests, engine, performance, isByTier);
          const { times, slow, result } = await closedForm(requests, engine, performance, isByTier);
          expect(result.preemptions).toBe(want.preemptions);
          for (const [id, [firstToken, ended]] of want.times) {
            expect(Math.abs(times.get(id)!.firstTokenAtMs - firstToken)).toBeLessThan(1e-6);
            expect(Math.abs(times.get(id)!.endedAtMs - ended)).toBeLessThan(1e-6);
            // A wait for memory set aside counts as late if an iteration in it was: almost as good.
            if (engine.kvAllocation === 'growth')
              expect(slow.get(id)).toBe(want.gapsMs.get(id)!.filter((gap) => gap > SLOW_MS).length);
          }
        }),
        { numRuns: traffic === arrivals ? 150 : 25 },
      );
    });
  }
});

describe('the engine', () => {
  it('follows two requests that can be reckoned by hand', async () => {
    // Alone: prefill 5 + 10 = 15 ms; then two decodes of 5 + 0.5 + 0.001 × context (101, 102).
    const { times } = await closedForm([request(0, 100, 3)], DEFAULT_ENGINE, linearPerformance());
    expect(times.get(0)!.firstTokenAtMs).toBeCloseTo(15, 9);
    expect(times.get(0)!.endedAtMs).toBeCloseTo(15 + 5.601 + 5.602, 9);
  });

  it('puts back the youngest request when KV memory runs out, and loses no token of it', async () => {
    const seen = outcomes();
    const result = await simulate(
      testConfig({ performance: linearPerformance(300), engine: { kvWatermark: 0 } }),
      traceFromRequests([request(0, 100, 80), request(1, 100, 80)]),
      { ...seen, audit: true },
    );
    expect(result.preemptions).toBeGreaterThan(0);
    expect(result.total).toMatchObject({ completed: 2, outputTokens: 160 });
    expect(seen.byId.get(0)!.endedAtMs).toBeLessThan(seen.byId.get(1)!.endedAtMs);
  });

  it('closes the chunks of a long prompt in one step', async () => {
    const of = async (promptTokens: number): Promise<number> => {
      const { result } = await closedForm([request(0, promptTokens, 1)], DEFAULT_ENGINE, linearPerformance(1e9));
      return result.iterations;
    };
    // 150 ms hold (150 − 5) ÷ 0.1 tokens, which is 11 × 128.
    expect(await of(11 * 128)).toBe(1);
    expect(await of(11 * 128 * 1_000)).toBe(1_000);
    expect(await of(11 * 128 * 1_000 + 1)).toBe(1_001);
  });

  it('puts back a prompt that is half-way before it lets an earlier request wait', async () => {
    const seen = outcomes();
    const result = await simulate(
      testConfig({
        performance: linearPerformance(300),
        engine: { maxBatchTokens: 10, maxBatchRequests: 4 },
      }),
      // The second holds 200 of 300 tokens and needs 22 iterations for them; the first runs full.
      traceFromRequests([request(0, 90, 60), request(1, 190, 20)]),
      { ...seen, audit: true },
    );
    expect(result).toMatchObject({ preemptions: 1, total: { completed: 2, outputTokens: 80 } });
    expect(seen.byId.get(0)!.endedAtMs).toBeLessThan(seen.byId.get(1)!.firstTokenAtMs);
  });

  it('takes as many tokens as an endpoint states, or as its engine does', async () => {
    const iterations = async (endpointTokens: number | undefined, engine: EngineChoice): Promise<number> => {
      const config = testConfig({ engine });
      const endpoints = config.endpoints.map((e) =>
        endpointTokens === undefined ? e : { ...e, maxBatchTokens: endpointTokens },
      );
      return (await simulate({ ...config, endpoints }, traceFromRequests([request(0, 1_000, 1)]))).iterations;
    };
    expect(await iterations(undefined, {})).toBe(1);
    expect(await iterations(undefined, { maxBatchTokens: 500 })).toBe(2);
    expect(await iterations(250, { maxBatchTokens: 500 })).toBe(4);
    expect(await iterations(undefined, { chunkMs: 44 })).toBe(3);
  });

  it('rejects at once what no instance could ever hold', async () => {
    const result = await simulate(
      testConfig({ performance: linearPerformance(300) }),
      traceFromRequests([request(0, 290, 20), request(1, 100, 20)]),
      {
        audit: true,
      },
    );
    expect(result).toMatchObject({
      rejectedTooLong: 1,
      total: { arrived: 2, completed: 1, rejected: 1, unfinished: 0 },
    });
  });
});
