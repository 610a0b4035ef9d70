import type work from './run-worker.js' with { 'resolution-mode': 'import' };

// What a pool loads by `require` must not be a module: a thread that is ended while `require`
// links one takes the whole process with it (a fatal error of Node 20 and 22).
const worker: Promise<{ readonly default: typeof work }> = import('./run-worker.js');
// Told by the first task.
worker.catch(() => undefined);

module.exports = async (task: Parameters<typeof work>[0]): ReturnType<typeof work> => (await worker).default(task);
