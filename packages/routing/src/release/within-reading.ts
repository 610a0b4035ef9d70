import type { EndpointLoadView, HeldQueueView } from '@sageserve/core';

/**
 * Requests that one reading of the load lets go for each ready instance, where readings have an
 * age.
 */
const MOST_PER_READING = 4;

/**
 * How many requests to let go: `room` by what the load says, as far as one reading of it goes, and
 * whatever is due by `dueByMs` in any case. A reading that is not of this moment says the same each
 * time that it is asked, and what was let go since may not show in it yet.
 */
export function withinReading(room: number, dueByMs: number, held: HeldQueueView, pool: EndpointLoadView): number {
  const left =
    pool.ageMs === 0 ? room : Math.max(0, MOST_PER_READING * (pool.readyInstances ?? 0) - pool.releasedSinceReading);
  const due = held.earliestDeadlineAtMs <= dueByMs ? held.countDueBy(dueByMs) : 0;
  const most = Math.max(Math.min(room, left), due);
  // Asked for every request that comes and every one that ends: most of the time the answer is
  // none.
  return most === 0 ? 0 : Math.min(held.count, most);
}
