import type { Lease, StateStoreOptions } from '@sageserve/core';
import type { ActContext } from './acts.js';

/** Under which fence a tick runs, and whether that is over. */
export type Tenure = Pick<ActContext, 'fence' | 'isLost'>;

export function tenure(lease: Lease | undefined): Tenure {
  const fence = lease?.fence;
  return { fence, isLost: () => lease !== undefined && (!lease.held || lease.fence !== fence) };
}

export function storeOptions(signal: AbortSignal | undefined, fence: number | undefined): StateStoreOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(fence === undefined ? {} : { fence }) };
}
