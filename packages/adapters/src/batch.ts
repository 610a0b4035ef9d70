export { createMemoryBatchStore } from './batch/memory-batch.js';
