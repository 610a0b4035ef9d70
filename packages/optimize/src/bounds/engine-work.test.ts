import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { densestIteration, type EngineLimits } from './densest-iteration.js';
import { costOf, type Work, workPrices } from './engine-work.js';

const engine = (
  iterationMs: EngineLimits['performance']['iterationMs'],
  limits: Partial<EngineLimits> & { readonly kvCapacityTokens?: number } = {},
): EngineLimits => {
  const { kvCapacityTokens = 10_000, ...rest } = limits;
  return {
    performance: { kvCapacityTokens, iterationMs },
    gpusPerInstance: 1,
    maxBatchTokens: 64,
    maxBatchRequests: 16,
    chunkedPrefill: true,
    ...rest,
  };
};

describe('workPrices', () => {
  it('is what can be reckoned by hand: the fixed time is shared by a full iteration', () => {
    // Prompts alone: 64 tokens take 10 + 64 ms.
    const deployment = engine((prompt, decodes) => 10 + prompt + decodes);
    const prices = workPrices({ promptTokens: 6_400, decodes: 0, contextTokens: 0 }, [deployment]);
    expect(costOf({ promptTokens: 6_400, decodes: 0, contextTokens: 0 }, prices)).toBeGreaterThan(7_400 * 0.985);
    expect(costOf({ promptTokens: 6_400, decodes: 0, contextTokens: 0 }, prices)).toBeLessThanOrEqual(7_400);
  });

  it('mixes prompts and decodes', () => {
    // 1,600 decodes take a hundred iterations of sixteen, whose other 48 tokens are prompts.
    const deployment = engine((prompt, decodes) => 10 + prompt + decodes);
    const work: Work = { promptTokens: 4_800, decodes: 1_600, contextTokens: 16_000 };
    const cost = costOf(work, workPrices(work, [deployment]));
    expect(cost).toBeGreaterThan(7_400 * 0.985);
    expect(cost).toBeLessThanOrEqual(7_400);
  });

  it('takes the deployment that does it for the fewest GPU-milliseconds', () => {
    const work: Work = { promptTokens: 6_400, decodes: 0, contextTokens: 0 };
    const slow = engine((prompt) => 10 + prompt);
    const fast = engine((prompt) => 10 + prompt / 2, { gpusPerInstance: 4 });
    expect(costOf(work, workPrices(work, [slow, fast]))).toBeCloseTo(costOf(work, workPrices(work, [slow])), 0);
  });

  it('promises no more than any schedule of iterations takes', () => {
    const shape = fc.record({
      fixed: fc.integer({ min: 1, max: 40 }),
      perPrompt: fc.double({ min: 0.01, max: 2, noNaN: true }),
      perDecode: fc.double({ min: 0.01, max: 2, noNaN: true }),
      perContext: fc.double({ min: 0, max: 0.01, noNaN: true }),
      floor: fc.integer({ min: 0, max: 60 }),
      kv: fc.integer({ min: 300, max: 3_000 }),
      tokens: fc.integer({ min: 20, max: 64 }),
    });
    const iterations = fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 64 }),
        fc.integer({ min: 0, max: 16 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(shape, iterations, (s, schedule) => {
        const deployment = engine(
          (prompt, decodes, context) =>
            Math.max(s.floor, s.fixed + s.perPrompt * prompt + s.perDecode * decodes) + s.perContext * context,
          { kvCapacityTokens: s.kv, maxBatchTokens: s.tokens },
        );
        let ms = 0;
        const work = { promptTokens: 0, decodes: 0, contextTokens: 0 };
        for (const [wanted, batch, share] of schedule) {
          const decodes = Math.min(batch, s.tokens);
          const prompt = Math.min(wanted, s.tokens - decodes);
          if (prompt + decodes === 0) continue;
          const context = decodes === 0 ? 0 : Math.floor(decodes + share * (s.kv - prompt - decodes));
          work.promptTokens += prompt;
          work.decodes += decodes;
          work.contextTokens += context;
          ms += deployment.performance.iterationMs(prompt, decodes, context, 0, prompt > 0 ? 1 : 0);
        }
        if (ms === 0) return;
        expect(costOf(work, workPrices(work, [deployment]))).toBeLessThanOrEqual(ms * (1 + 1e-9));
      }),
      { numRuns: 100 },
    );
  });
});

describe('densestIteration', () => {
  it('is no worse than any iteration that is tried', () => {
    fc.assert(
      fc.property(
        fc.tuple(
          fc.double({ min: 0, max: 3, noNaN: true }),
          fc.double({ min: 0, max: 3, noNaN: true }),
          fc.double({ min: 0, max: 0.01, noNaN: true }),
        ),
        fc.tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 9_000 })),
        ([promptToken, decode, contextToken], [prompt, decodes, context]) => {
          const deployment = engine((p, d, k) => Math.max(20, 5 + p + d) + 0.002 * k);
          const { density, iteration } = densestIteration({ promptToken, decode, contextToken }, deployment, 0.001);
          const worth =
            iteration.promptTokens * promptToken + iteration.decodes * decode + iteration.contextTokens * contextToken;
          expect(worth / iteration.gpuMs).toBeGreaterThanOrEqual(density / 1.0011 - 1e-12);
          if (prompt + decodes === 0 || prompt + decodes > 64) return;
          const reads = decodes === 0 ? 0 : Math.max(decodes, context);
          const own = prompt * promptToken + decodes * decode + reads * contextToken;
          expect(own / deployment.performance.iterationMs(prompt, decodes, reads, 0, 1)).toBeLessThanOrEqual(
            density * (1 + 1e-9),
          );
        },
      ),
    );
  });
});
