import type { ReleasePolicy } from '@sageserve/core';

/**
 * Holds nothing back: non-interactive requests are routed as they arrive, as fleets with separate
 * pools do.
 */
export function createImmediateRelease(): ReleasePolicy {
  return { name: 'immediate', release: (held) => held.count };
}
