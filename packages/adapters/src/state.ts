export { createFileStateStore, type FileStateStoreOptions } from './state/file-state.js';
export { createMemoryStateStore } from './state/memory-state.js';
export { createPostgresStateStore, type PostgresStateStoreOptions } from './state/postgres-state.js';
