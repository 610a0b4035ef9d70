export { type ThreadCall, ThreadPool, type ThreadPoolOptions, type ThreadRequest } from './thread-pool.js';
export { packThrown, type Thrown, unpackThrown } from './thrown.js';
