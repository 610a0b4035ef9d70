import { type SkuId, skuId } from '@sageserve/core';

/** The constants of one GPU. */
export interface GpuShape {
  readonly skuId: SkuId;
  readonly memoryBytes: number;
  readonly memoryBytesPerS: number;
  /** Dense 16-bit tensor operations per second. */
  readonly bf16FlopsPerS: number;
  /** Bytes per second to a neighbour in the same host, one direction. */
  readonly interconnectBytesPerS: number;
}

/** From the system files of ai-dynamo/aiconfigurator (Apache-2.0). */
export const GPU_SHAPES: readonly GpuShape[] = [
  {
    skuId: skuId('a100-80gb'),
    memoryBytes: 85_899_345_920,
    memoryBytesPerS: 2.039e12,
    bf16FlopsPerS: 312e12,
    interconnectBytesPerS: 300e9,
  },
  {
    skuId: skuId('h100-80gb'),
    memoryBytes: 85_899_345_920,
    memoryBytesPerS: 3.35e12,
    bf16FlopsPerS: 989e12,
    interconnectBytesPerS: 450e9,
  },
  {
    skuId: skuId('b200-180gb'),
    memoryBytes: 193_273_528_320,
    memoryBytesPerS: 7.7e12,
    bf16FlopsPerS: 2_250e12,
    interconnectBytesPerS: 900e9,
  },
  {
    skuId: skuId('l40s-48gb'),
    memoryBytes: 48_305_799_168,
    memoryBytesPerS: 0.864e12,
    bf16FlopsPerS: 362.05e12,
    interconnectBytesPerS: 32e9,
  },
];
