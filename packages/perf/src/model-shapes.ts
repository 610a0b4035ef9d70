import { type ModelId, modelId } from '@sageserve/core';

/** The dimensions of a dense decoder-only transformer that decide its speed and memory. */
export interface ModelShape {
  readonly modelId: ModelId;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly attentionHeads: number;
  readonly kvHeads: number;
  readonly headDimension: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
  /**
   * Matrices in each feed-forward block: 3 where it is gated (Llama), 2 where it is not (Bloom).
   */
  readonly feedForwardMatrices: 2 | 3;
  /** Whether the output projection shares the embedding's weights. */
  readonly tiedEmbedding: boolean;
}

/** Shapes as published with the models (their `config.json`). */
export const MODEL_SHAPES: readonly ModelShape[] = [
  {
    modelId: modelId('llama-2-70b'),
    layers: 80,
    hiddenSize: 8_192,
    attentionHeads: 64,
    kvHeads: 8,
    headDimension: 128,
    intermediateSize: 28_672,
    vocabularySize: 32_000,
    feedForwardMatrices: 3,
    tiedEmbedding: false,
  },
  {
    modelId: modelId('bloom-176b'),
    layers: 70,
    hiddenSize: 14_336,
    attentionHeads: 112,
    kvHeads: 112,
    headDimension: 128,
    intermediateSize: 57_344,
    vocabularySize: 250_880,
    feedForwardMatrices: 2,
    tiedEmbedding: true,
  },
  {
    modelId: modelId('llama-3.1-8b'),
    layers: 32,
    hiddenSize: 4_096,
    attentionHeads: 32,
    kvHeads: 8,
    headDimension: 128,
    intermediateSize: 14_336,
    vocabularySize: 128_256,
    feedForwardMatrices: 3,
    tiedEmbedding: false,
  },
  {
    modelId: modelId('llama-3.1-70b'),
    layers: 80,
    hiddenSize: 8_192,
    attentionHeads: 64,
    kvHeads: 8,
    headDimension: 128,
    intermediateSize: 28_672,
    vocabularySize: 128_256,
    feedForwardMatrices: 3,
    tiedEmbedding: false,
  },
  {
    modelId: modelId('llama-3.2-3b'),
    layers: 28,
    hiddenSize: 3_072,
    attentionHeads: 24,
    kvHeads: 8,
    headDimension: 128,
    intermediateSize: 8_192,
    vocabularySize: 128_256,
    feedForwardMatrices: 3,
    tiedEmbedding: true,
  },
  {
    modelId: modelId('qwen3-32b'),
    layers: 64,
    hiddenSize: 5_120,
    attentionHeads: 64,
    kvHeads: 8,
    headDimension: 128,
    intermediateSize: 25_600,
    vocabularySize: 151_936,
    feedForwardMatrices: 3,
    tiedEmbedding: false,
  },
];

/** Bytes of a 16-bit weight or KV entry. */
const BYTES = 2;

/** KV-cache bytes that one token takes: 2 × layers × KV heads × head dimension × bytes. */
export function kvBytesPerToken(shape: ModelShape): number {
  return 2 * shape.layers * shape.kvHeads * shape.headDimension * BYTES;
}

/** Parameters of one layer: attention projections and feed-forward matrices. */
export function layerParameters(shape: ModelShape): number {
  const attention = shape.hiddenSize * shape.headDimension * (2 * shape.attentionHeads + 2 * shape.kvHeads);
  return attention + shape.feedForwardMatrices * shape.hiddenSize * shape.intermediateSize;
}

/** Bytes of all weights at 16 bits. */
export function weightBytes(shape: ModelShape): number {
  const embeddings = (shape.tiedEmbedding ? 1 : 2) * shape.vocabularySize * shape.hiddenSize;
  return BYTES * (shape.layers * layerParameters(shape) + embeddings);
}
