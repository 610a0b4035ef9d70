export { createAutoPerformanceModel } from './auto.js';
export { GPU_MEMORY_SHARE, gpuOf, kvCapacityTokens, shapeOf } from './deployment.js';
export { GPU_SHAPES, type GpuShape } from './gpu-shapes.js';
export { createMeasuredPerformanceModel, measuredTableOf } from './measured.js';
export { MEASURED_TABLES, type MeasuredTable } from './measured-tables.js';
export { kvBytesPerToken, MODEL_SHAPES, type ModelShape, weightBytes } from './model-shapes.js';
export {
  type AttentionRow,
  createOperatorTablesPerformance,
  operatorsNotUsed,
  type OperatorTables,
  type OperatorTablesOptions,
} from './operator-tables.js';
export { type Beyond, PiecewiseLinear } from './piecewise-linear.js';
export { createRooflinePerformanceModel, ROOFLINE_2025, type RooflineConstants } from './roofline.js';
export { type BatchLimits, CHUNK_MS, chunkTokens, type EngineWork, saturatedMs } from './throughput.js';
export { createTokenTablesPerformance, type TokenTablesOptions } from './token-tables.js';
