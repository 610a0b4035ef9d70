import { modelId, skuId } from '@sageserve/core';
import { performanceModelConformance } from '@sageserve/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAutoPerformanceModel } from './auto.js';
import { GPU_SHAPES } from './gpu-shapes.js';
import { createMeasuredPerformanceModel } from './measured.js';
import { MEASURED_TABLES } from './measured-tables.js';
import { kvBytesPerToken, MODEL_SHAPES, weightBytes } from './model-shapes.js';
import { createOperatorTablesPerformance, operatorsNotUsed } from './operator-tables.js';
import { PiecewiseLinear } from './piecewise-linear.js';
import { createRooflinePerformanceModel } from './roofline.js';
import { chunkTokens, saturatedMs, sustainedTokensPerS } from './throughput.js';
import { createTokenTablesPerformance } from './token-tables.js';

const deployment = (model: string, sku: string, gpusPerInstance: number) => ({
  modelId: modelId(model),
  skuId: skuId(sku),
  gpusPerInstance,
});
const measured = MEASURED_TABLES.map((t) => deployment(t.model, t.sku, t.gpus));

describe('model shapes', () => {
  it('have the sizes that their names promise and real KV bytes', () => {
    const size = (name: string) => weightBytes(MODEL_SHAPES.find((m) => m.modelId === name)!) / 2e9;
    expect(size('llama-2-70b')).toBeCloseTo(69, 0);
    expect(size('bloom-176b')).toBeCloseTo(176, 0);
    expect(size('llama-3.1-8b')).toBeCloseTo(8, 0);
    expect(size('llama-3.2-3b')).toBeCloseTo(3.2, 0);
    expect(kvBytesPerToken(MODEL_SHAPES.find((m) => m.modelId === 'llama-2-70b')!)).toBe(327_680);
    expect(kvBytesPerToken(MODEL_SHAPES.find((m) => m.modelId === 'bloom-176b')!)).toBe(4_014_080);
  });
});

describe('createMeasuredPerformanceModel', () => {
  for (const check of performanceModelConformance(createMeasuredPerformanceModel, measured)) it(check.name, check.run);

  it('returns the measured medians at their knots, in milliseconds', () => {
    for (const table of MEASURED_TABLES) {
      const performance = createMeasuredPerformanceModel().forDeployment(
        deployment(table.model, table.sku, table.gpus),
      );
      for (const [i, tokens] of table.prefill.tokens.entries())
        expect(performance.iterationMs(tokens, 0, 0, 0, 1)).toBeCloseTo(table.prefill.ms[i], 9);
      for (const [i, requests] of table.decode.requests.entries())
        expect(performance.iterationMs(0, requests, 0, 0, 0)).toBeCloseTo(table.decode.ms[i], 9);
    }
  });

  it('has the small models in milliseconds too: a prefill of 1,024 tokens takes 54 ms, not 54 µs', () => {
    const ms = createMeasuredPerformanceModel()
      .forDeployment(deployment('llama-3.1-8b', 'a100-80gb', 2))
      .iterationMs(1_024, 0, 0, 0, 1);
    expect(ms).toBeGreaterThan(50);
    expect(ms).toBeLessThan(60);
  });

  it('says what is measured where a deployment is not, and when a model does not fit', () => {
    expect(() => createMeasuredPerformanceModel().forDeployment(deployment('llama-2-70b', 'l40s-48gb', 8))).toThrow(
      'llama-2-70b on 8 × l40s-48gb was not measured',
    );
    expect(() => createRooflinePerformanceModel().forDeployment(deployment('bloom-176b', 'h100-80gb', 2))).toThrow(
      'gpusPerInstance: bloom-176b does not fit 2 × h100-80gb: its weights take 352 GB',
    );
    expect(() => createRooflinePerformanceModel().forDeployment(deployment('gpt-9', 'h100-80gb', 2))).toThrow(
      'unknown model "gpt-9"',
    );
  });
});

describe('createRooflinePerformanceModel', () => {
  const fitting = GPU_SHAPES.flatMap((gpu) => [
    deployment('llama-3.1-8b', gpu.skuId, 1),
    deployment('llama-2-70b', gpu.skuId, 8),
  ]);
  for (const check of performanceModelConformance(createRooflinePerformanceModel, fitting)) it(check.name, check.run);

  it('is bound by memory when it decodes one request: the weights are read once', () => {
    const ms = createRooflinePerformanceModel()
      .forDeployment(deployment('llama-3.1-8b', 'h100-80gb', 1))
      .iterationMs(0, 1, 100, 0, 0);
    expect(ms).toBeGreaterThan((15e9 / 3.35e12) * 1_000);
    expect(ms).toBeLessThan(10);
  });
});

describe('createAutoPerformanceModel', () => {
  it('prefers a measurement', () => {
    const at = (model: ReturnType<typeof createAutoPerformanceModel>, sku: string) =>
      model.forDeployment(deployment('llama-2-70b', sku, 8)).iterationMs(1_024, 8, 10_000, 0, 1);
    expect(at(createAutoPerformanceModel(), 'h100-80gb')).toBe(at(createMeasuredPerformanceModel(), 'h100-80gb'));
    expect(at(createAutoPerformanceModel(), 'b200-180gb')).toBe(at(createRooflinePerformanceModel(), 'b200-180gb'));
  });
});

describe('createTokenTablesPerformance', () => {
  it('continues linearly on both sides and stretches mixed batches', () => {
    const performance = createTokenTablesPerformance({
      batchTokens: [100, 200],
      promptMs: [10, 30],
      tokenMs: [5, 6],
      mixedFactor: 1.1,
      overheadMs: 1,
      kvCapacityTokens: 1_000,
    });
    expect(performance.iterationMs(50, 0, 0, 0, 1)).toBeCloseTo(0 + 1);
    expect(performance.iterationMs(300, 0, 0, 0, 1)).toBeCloseTo(50 + 1);
    expect(performance.iterationMs(0, 150, 0, 0, 0)).toBeCloseTo(5.5 + 1);
    expect(performance.iterationMs(140, 10, 0, 0, 1)).toBeCloseTo(20 * 1.1 + 1);
  });
});

describe('createOperatorTablesPerformance', () => {
  const dense = [
    'qkv_proj',
    'rotary_emb',
    'o_proj',
    'gate_up_proj',
    'act_fn',
    'down_proj',
    'layernorm',
    'embedding',
    'final_layernorm',
  ].flatMap((layer) => [
    { layer, tokens: 1, timeUs: 10 },
    { layer, tokens: 101, timeUs: 110 },
  ]);
  const perSequence = [1, 11].map((sequences) => ({ layer: 'lm_head', sequences, timeUs: sequences }));
  const attention = [0, 16, 32].flatMap((prefillChunk) =>
    [0, 16].flatMap((kvPrefill) =>
      [0, 1, 4].flatMap((decodes) =>
        (decodes === 0 ? [0] : [16, 32]).map((kvDecode) => ({
          prefillChunk,
          kvPrefill,
          decodes,
          kvDecode,
          timeUs: 2 * prefillChunk + kvPrefill + decodes * kvDecode,
        })),
      ),
    ),
  );

  it('adds up its operators: eight dense ones a layer, two once, attention each layer, the sampler once', () => {
    const { iterationMs } = createOperatorTablesPerformance(
      { dense, perSequence, attention },
      { layers: 2, kvCapacityTokens: 1_000 },
    );
    expect(iterationMs(0, 2, 48, 0, 0)).toBeCloseTo((2 * 8 * 11 + 2 * 11 + 2 + 2 * (2 * 24)) / 1_000, 9);
    expect(iterationMs(16, 0, 0, 0, 1)).toBeCloseTo((2 * 8 * 25 + 2 * 25 + 1 + 2 * 32) / 1_000, 9);
    expect(iterationMs(16, 1, 16, 16, 1)).toBeCloseTo((2 * 8 * 26 + 2 * 26 + 2 + 2 * (32 + 16 + 16)) / 1_000, 9);
  });

  it('adds the norms of queries and keys where a model has them', () => {
    const norms = [1, 101].map((tokens) => ({ layer: 'qk_norm', tokens, timeUs: 3 }));
    const options = { layers: 2, kvCapacityTokens: 1_000 };
    const plain = createOperatorTablesPerformance({ dense, perSequence, attention }, options);
    const normed = createOperatorTablesPerformance({ dense: [...dense, ...norms], perSequence, attention }, options);
    expect(normed.iterationMs(0, 2, 48, 0, 0) - plain.iterationMs(0, 2, 48, 0, 0)).toBeCloseTo((2 * 3) / 1_000, 9);
  });

  it('says what it does not use', () => {
    const onlyUsed = attention.filter(({ decodes, kvPrefill }) => decodes === 0 || kvPrefill === 0);
    expect(operatorsNotUsed({ dense, perSequence, attention: onlyUsed })).toEqual([]);
    const off = { prefillChunk: 24, kvPrefill: 0, decodes: 0, kvDecode: 0, timeUs: 1 };
    expect(
      operatorsNotUsed({
        dense: [...dense, { layer: 'moe', tokens: 1, timeUs: 1 }, { layer: 'moe', tokens: 2, timeUs: 1 }],
        perSequence,
        attention: [...onlyUsed, off],
      }),
    ).toEqual(['moe (2 rows)', 'attention off the power-of-two grid or with earlier chunks beside decodes (1 rows)']);
  });

  it('names an operator or a point that is missing', () => {
    const options = { layers: 2, kvCapacityTokens: 1_000 };
    expect(() =>
      createOperatorTablesPerformance(
        { dense: dense.filter((r) => r.layer !== 'o_proj'), perSequence, attention },
        options,
      ),
    ).toThrow('there are no rows for the operator o_proj');
    expect(() =>
      createOperatorTablesPerformance(
        {
          dense,
          perSequence,
          attention: attention.filter((r) => !(r.prefillChunk === 0 && r.decodes === 4 && r.kvDecode === 32)),
        },
        options,
      ),
    ).toThrow('decode-only attention has no row at (4, 32)');
  });
});

describe('PiecewiseLinear', () => {
  it('passes through its points and stays between neighbours', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 1_000 }), { minLength: 2, maxLength: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (positions, share) => {
          const xs = [...positions].sort((a, b) => a - b);
          const ys = xs.map((x) => (x * 7919) % 101);
          const curve = new PiecewiseLinear(xs, ys);
          for (const [i, x] of xs.entries()) expect(curve.at(x)).toBeCloseTo(ys[i], 9);
          for (let i = 1; i < xs.length; i++) {
            const y = curve.at(xs[i - 1] + share * (xs[i] - xs[i - 1]));
            expect(y).toBeGreaterThanOrEqual(Math.min(ys[i - 1], ys[i]) - 1e-9);
            expect(y).toBeLessThanOrEqual(Math.max(ys[i - 1], ys[i]) + 1e-9);
          }
          expect(curve.at(xs[0] - 5)).toBe(ys[0]);
        },
      ),
    );
  });

  it('refuses positions that do not rise', () => {
    expect(() => new PiecewiseLinear([1, 1], [2, 3])).toThrow('positions must rise: 1 follows 1');
  });
});

describe('chunkTokens', () => {
  const linear = (msPerToken: number): Parameters<typeof chunkTokens>[0] => ({
    iterationMs: (prefill) => 5 + msPerToken * prefill,
  });

  it('is the largest multiple of 128 that an iteration of prompts has time for', () => {
    expect(chunkTokens(linear(0.1))).toBe(1_408);
    expect(chunkTokens(linear(145 / 1_280))).toBe(1_280);
    expect(chunkTokens(linear(145 / 1_279.9))).toBe(1_152);
  });

  it('stays between 256 and 8,192', () => {
    expect(chunkTokens(linear(10))).toBe(256);
    expect(chunkTokens(linear(0))).toBe(8_192);
  });

  it('is stated for the deployments of the paper', () => {
    const of = (model: string, sku: string, gpusPerInstance: number): number =>
      chunkTokens(
        createAutoPerformanceModel().forDeployment({ modelId: modelId(model), skuId: skuId(sku), gpusPerInstance }),
      );
    expect(of('bloom-176b', 'h100-80gb', 8)).toBe(1_152);
    expect(of('llama-2-70b', 'h100-80gb', 4)).toBe(1_408);
    expect(of('llama-3.1-8b', 'a100-80gb', 1)).toBe(1_920);
    expect(of('llama-3.2-3b', 'a100-80gb', 1)).toBe(4_352);
  });
});

describe('sustainedTokensPerS', () => {
  it('is the best steady batch: prompts and answers advance together', () => {
    // Ten prompt tokens for each output token; a batch of b takes 11 b tokens and 5 + 0.01 × 11 b
    // ms.
    const performance = {
      kvCapacityTokens: 1e9,
      iterationMs: (prefill: number, decodes: number) => 5 + 0.05 * (prefill + decodes),
    };
    const batch = Math.floor(2_816 / 11);
    expect(sustainedTokensPerS(performance, { promptTokens: 1_000, outputTokens: 100 })).toBeCloseTo(
      (11 * batch * 1_000) / (5 + 0.05 * 11 * batch),
      6,
    );
  });

  it('is less where memory holds fewer', () => {
    const of = (kvCapacityTokens: number): number =>
      sustainedTokensPerS(
        { kvCapacityTokens, iterationMs: (prefill, decodes) => 5 + 0.05 * (prefill + decodes) },
        { promptTokens: 1_000, outputTokens: 100 },
      );
    // Of four requests 44 tokens advance in 7.2 ms.
    expect(of(4_400)).toBeCloseTo(44_000 / 7.2, 6);
    expect(of(4_400)).toBeLessThan(of(8_800));
  });

  it('counts a long prompt as the iterations that it fills', () => {
    const rate = sustainedTokensPerS(
      { kvCapacityTokens: 1e9, iterationMs: (prefill) => 5 + 0.1 * prefill },
      { promptTokens: 100_000, outputTokens: 1 },
    );
    expect(rate).toBeCloseTo(((1_407 + 0.01407) * 1_000) / 145.7, 3);
  });
});

describe('saturatedMs', () => {
  it('is what the work takes in as few iterations as hold it, and little more', () => {
    const engine = fc.record({
      fixed: fc.double({ min: 1, max: 20, noNaN: true }),
      perPrompt: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
      perDecode: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
      perContext: fc.double({ min: 0, max: 0.001, noNaN: true }),
      kv: fc.integer({ min: 5_000, max: 100_000 }),
      tokens: fc.integer({ min: 300, max: 2_000 }),
      requests: fc.integer({ min: 1, max: 256 }),
      chunked: fc.boolean(),
    });
    const shape = fc.record({
      requests: fc.integer({ min: 1, max: 5_000 }),
      prompt: fc.integer({ min: 1, max: 2_000 }),
      output: fc.integer({ min: 1, max: 1_500 }),
      left: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(engine, shape, (e, { requests, prompt, output, left }) => {
        const performance = {
          kvCapacityTokens: e.kv,
          iterationMs: (p: number, d: number, c: number) =>
            e.fixed + e.perPrompt * p + e.perDecode * d + e.perContext * c,
        };
        const limits = { maxBatchTokens: e.tokens, maxBatchRequests: e.requests, chunkedPrefill: e.chunked };
        const prompts = Math.round(requests * left);
        const work = {
          prompts,
          promptTokens: prompts * prompt,
          decodes: requests * (output - 1),
          contextTokens: requests * ((output - 1) * prompt + ((output - 1) * output) / 2),
        };
        const each = e.perPrompt * work.promptTokens + e.perDecode * work.decodes + e.perContext * work.contextTokens;
        const budget = e.chunked ? e.tokens : Math.max(e.tokens, prompt);
        const fewest = [
          (work.promptTokens + (e.chunked ? work.decodes : 0)) / budget,
          work.decodes / e.requests,
          (work.promptTokens + work.contextTokens) / e.kv,
        ];
        const ms = saturatedMs(performance, limits, work);
        expect(ms).toBeGreaterThanOrEqual((each + e.fixed * Math.max(...fewest)) * (1 - 1e-9));
        // Decodes come in whole batches.
        expect(ms).toBeLessThanOrEqual((each + 2 * e.fixed * fewest.reduce((a, b) => a + b, 0)) * (1 + 1e-9));
      }),
    );
  });

  it('asks for whole decodes, whatever there is of them, and for none where there is nothing', () => {
    const limits = { maxBatchTokens: 1_000, maxBatchRequests: 10, chunkedPrefill: true };
    const seen: number[] = [];
    const performance = {
      kvCapacityTokens: 10_000,
      iterationMs(prompt: number, decodes: number) {
        seen.push(decodes);
        return 10 + prompt + decodes;
      },
    };
    expect(saturatedMs(performance, limits, { prompts: 0, promptTokens: 0, decodes: 0, contextTokens: 0 })).toBe(0);
    saturatedMs(performance, limits, { prompts: 900, promptTokens: 90_000, decodes: 7, contextTokens: 900 });
    expect(seen.every(Number.isInteger)).toBe(true);
  });
});
