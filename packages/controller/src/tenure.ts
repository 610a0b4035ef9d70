import type { Lease, StateStoreOptions } from '@sageserve/core';

/** Under which fence a tick runs, and whether that is over. */
export interface Tenure {
  /** The fence that the tick began with; `undefined` without a lease. */
  readonly fence: number | undefined;
  /** Whether the lease was lost since, or changed hands: then nothing is done any more. */
  readonly isLost: () => boolean;
}

export function tenure(lease: Lease | undefined): Tenure {
  const fence = lease?.fence;
  return { fence, isLost: () => lease !== undefined && (!lease.held || lease.fence !== fence) };
}

export function storeOptions(signal: AbortSignal | undefined, fence: number | undefined): StateStoreOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(fence === undefined ? {} : { fence }) };
}
