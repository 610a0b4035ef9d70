import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of all operations, which the core leaves out on Node.js.
import '@tensorflow/tfjs-layers';

export type BackendName = 'tensorflow' | 'wasm' | 'cpu';

/** Where TensorFlow.js computes, and why there. */
export interface BackendChoice {
  readonly backend: BackendName;
  readonly reason: string;
}

/**
 * Resolved at run time, so that neither a bundler nor the type checker asks for it where it is not
 * installed.
 */
const NATIVE: string = '@tensorflow/tfjs-node';

const require = createRequire(import.meta.url);

let chosen: Promise<BackendChoice> | undefined;

/**
 * Makes TensorFlow.js ready, once a process: the native library where `@tensorflow/tfjs-node` is
 * installed and loads, otherwise WebAssembly, otherwise plain JavaScript. `only` asks for one of
 * them and throws its reason where it can't be had.
 */
export async function chooseBackend(only?: BackendName): Promise<BackendChoice> {
  if (only === undefined) return (chosen ??= choose());
  const reason = await START[only]();
  if (reason !== undefined) throw new Error(`the TensorFlow.js backend "${only}" can't be used: ${reason}`);
  chosen = Promise.resolve({ backend: only, reason: 'asked for' });
  return chosen;
}

async function choose(): Promise<BackendChoice> {
  const refused: string[] = [];
  for (const backend of ['tensorflow', 'wasm', 'cpu'] as const) {
    const reason = await START[backend]();
    if (reason === undefined) return { backend, reason: refused.length === 0 ? 'the fastest' : refused.join('; ') };
    refused.push(reason);
  }
  throw new Error(`TensorFlow.js has no backend: ${refused.join('; ')}`);
}

/** Each starts a backend and returns undefined, or why it can't. */
const START: Readonly<Record<BackendName, () => Promise<string | undefined>>> = {
  async tensorflow() {
    try {
      require.resolve(NATIVE);
    } catch {
      return `${NATIVE} is not installed (npm install ${NATIVE})`;
    }
    try {
      await import(NATIVE);
    } catch (error) {
      return `${NATIVE} is installed but does not load: ${(error as Error).message.split('\n')[0]}`;
    }
    if ((tf.findBackendFactory('tensorflow') as unknown) === null)
      return `${NATIVE} brings another version of @tensorflow/tfjs-core than ${tf.version_core}`;
    return start('tensorflow');
  },
  async wasm() {
    try {
      const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
      const file = require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm');
      setWasmPaths(`${dirname(file)}${sep}`);
    } catch (error) {
      return `WebAssembly: ${(error as Error).message.split('\n')[0]}`;
    }
    return start('wasm');
  },
  async cpu() {
    try {
      await import('@tensorflow/tfjs-backend-cpu');
    } catch (error) {
      return `plain JavaScript: ${(error as Error).message.split('\n')[0]}`;
    }
    return start('cpu');
  },
};

async function start(backend: BackendName): Promise<string | undefined> {
  try {
    // Without this it advertises its native library on standard error.
    tf.enableProdMode();
    if (await tf.setBackend(backend)) {
      await tf.ready();
      return undefined;
    }
  } catch (error) {
    return `${backend}: ${(error as Error).message.split('\n')[0]}`;
  }
  return `${backend} does not start`;
}
