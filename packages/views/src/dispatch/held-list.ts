import type { HeldQueueView, RegionIndex } from '@sageserve/core';

/** What a list keeps: what it is sorted by, and where it may go. */
export interface Holdable {
  readonly view: { readonly deadlineAtMs: number };
  /** Regions that it may go to, all unless given. */
  readonly allowed?: ReadonlySet<RegionIndex> | undefined;
}

interface Group<R> {
  readonly allowed: ReadonlySet<RegionIndex> | undefined;
  /** By deadline, and in order of arrival where that is the same. */
  readonly requests: R[];
}

/** The held requests of one model: in order of deadline, for each set of regions they may go to. */
export class HeldList<R extends Holdable> {
  count = 0;
  readonly #groups = new Map<string, Group<R>>();

  add(request: R): void {
    const { allowed } = request;
    const key = keyOf(allowed);
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, (group = { allowed, requests: [] }));
    const { requests } = group;
    requests.splice(countUpTo(requests, request.view.deadlineAtMs), 0, request);
    this.count++;
  }

  /** Takes out the request that is due first of those that may go to a region. */
  take(region: RegionIndex): R | undefined {
    const due = (group: Group<R>): number => group.requests[0]!.view.deadlineAtMs;
    let first: Group<R> | undefined;
    for (const group of this.#openTo(region)) if (first === undefined || due(group) < due(first)) first = group;
    const request = first?.requests[0];
    if (request !== undefined) this.remove(request);
    return request;
  }

  /** False where it is not held. */
  remove(request: R): boolean {
    const key = keyOf(request.allowed);
    const requests = this.#groups.get(key)?.requests ?? [];
    const at = requests.indexOf(request);
    if (at === -1) return false;
    requests.splice(at, 1);
    this.count--;
    if (requests.length === 0) this.#groups.delete(key);
    return true;
  }

  /** The requests that may go to a region, as a release policy sees them. */
  seenFrom(region: RegionIndex): HeldQueueView {
    const groups = this.#openTo(region);
    return {
      count: groups.reduce((sum, { requests }) => sum + requests.length, 0),
      earliestDeadlineAtMs: Math.min(Infinity, ...groups.map(({ requests }) => requests[0]!.view.deadlineAtMs)),
      countDueBy: (atMs) => groups.reduce((sum, { requests }) => sum + countUpTo(requests, atMs), 0),
    };
  }

  #openTo(region: RegionIndex): Group<R>[] {
    return [...this.#groups.values()].filter(({ allowed }) => allowed?.has(region) ?? true);
  }
}

function keyOf(allowed: ReadonlySet<RegionIndex> | undefined): string {
  return allowed === undefined ? 'all' : [...allowed].sort((a, b) => a - b).join();
}

/** How many have a deadline at or before `atMs`: also where one with that deadline joins. */
function countUpTo(requests: readonly Holdable[], atMs: number): number {
  let from = 0;
  let to = requests.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (requests[middle]!.view.deadlineAtMs <= atMs) from = middle + 1;
    else to = middle;
  }
  return from;
}
