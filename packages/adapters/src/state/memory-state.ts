import type { StateStore } from '@sageserve/core';
import { fencedError } from './fenced.js';

/** A store that forgets with its process: for tests, and for a loop that may begin anew. */
export function createMemoryStateStore(): StateStore {
  const kept = new Map<string, { readonly text: string; readonly fence: number | undefined }>();
  return {
    load: (key) => kept.get(key)?.text,
    save(key, text, options) {
      const newest = kept.get(key)?.fence;
      const fence = options?.fence;
      if (fence !== undefined && newest !== undefined && fence < newest) throw fencedError(key, fence, newest);
      kept.set(key, { text, fence: fence ?? newest });
    },
  };
}
