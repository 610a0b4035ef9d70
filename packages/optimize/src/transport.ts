import { InvariantError } from '@sageserve/core';

/**
 * Prices are compared in whole numbers of this share of the dearest flow, so that sums along paths
 * are exact and no path goes round in circles.
 */
const STEPS = 2 ** 24;
/** What dropping costs, in those. */
const LEAST_DROP = 2 ** 46;

/**
 * Demand of one model in one window, to be carried by what its regions hold. All quantities are
 * whole numbers of micro-tokens/s, so sums are exact.
 */
export interface TransportInput {
  readonly demand: Float64Array;
  readonly capacity: Float64Array;
  /**
   * USD for one unit from origin to server, `Infinity` where forbidden, 0 at home; origin × server.
   * `undefined` where all is free.
   */
  readonly price: Float64Array | undefined;
  /** How much of each origin's demand may be dropped at the cheaper price. */
  readonly droppableCheaply: Float64Array;
  readonly cheapUsd: number;
  readonly dearUsd: number;
}

export interface TransportResult {
  /** Origin × server. */
  readonly flow: Float64Array;
  readonly cheaplyDropped: Float64Array;
  readonly dearlyDropped: Float64Array;
  readonly flowUsd: number;
  /**
   * Servers that every further unit of dropped demand would have to go through, all full; empty
   * where nothing is dropped.
   */
  readonly saturated: readonly number[];
}

/**
 * Cheapest way to serve all demand, dropping what can't be: successive shortest paths (Ford and
 * Fulkerson; Ahuja, Magnanti and Orlin, Network Flows, §9.7) from the optimum in which each region
 * serves its own. Dropping is one more server, dearer than any flow; what is cheaper to drop goes
 * first.
 */
export function transport({
  demand,
  capacity,
  price,
  droppableCheaply,
  cheapUsd,
  dearUsd,
}: TransportInput): TransportResult {
  const R = demand.length;
  const flow = new Float64Array(R * R);
  const left = Float64Array.from(capacity);
  const cheap = new Float64Array(R);
  const dear = new Float64Array(R);
  let dearest = 0;
  if (price !== undefined) for (const usd of price) if (usd < Infinity && usd > dearest) dearest = usd;
  const inSteps = (usd: number): number =>
    usd === Infinity || dearest === 0 ? usd : Math.round((usd / dearest) * STEPS);
  const steps = price?.map(inSteps);
  const priceOf = (from: number, to: number): number => (steps === undefined ? 0 : steps[from * R + to]);
  // What can be served is served, whatever that costs: no path comes near these.
  const [cheapSteps, dearSteps] = cheapUsd <= dearUsd ? [LEAST_DROP, 2 * LEAST_DROP] : [2 * LEAST_DROP, LEAST_DROP];
  const open: number[] = [];
  for (let r = 0; r < R; r++) {
    const home = Math.min(demand[r], left[r]);
    flow[r * R + r] = home;
    left[r] -= home;
    if (home < demand[r]) open.push(r);
  }
  const reached = new Set<number>();
  // Distance to each server along residual arcs, and by which origin a unit gets there.
  const distance = new Float64Array(R);
  const via = new Int32Array(R);
  const before = new Int32Array(R);
  let dropAt = -1;
  for (const source of open) {
    let missing = demand[source] - flow.subarray(source * R, (source + 1) * R).reduce((a, b) => a + b, 0);
    while (missing > 0) {
      shortestPaths(source);
      // Where the path ends: a server with room, or an origin on the way that may drop.
      let best = Infinity;
      let end = -1;
      let drop: Float64Array | undefined;
      for (let to = 0; to < R; to++) {
        if (distance[to] < best && left[to] > 0) {
          best = distance[to]!;
          end = to;
          drop = undefined;
        }
      }
      for (let nth = 0; nth < R; nth++) {
        // Of equal ones the source drops its own.
        const origin = (source + nth) % R;
        // An origin other than the source drops what it sent to a server, which frees that one for
        // the path.
        const [at, server] = origin === source ? [0, -1] : pushedBack(origin);
        if (at === Infinity) continue;
        if (cheap[origin] < droppableCheaply[origin] && at + cheapSteps < best) {
          best = at + cheapSteps;
          end = server;
          drop = cheap;
          dropAt = origin;
        }
        if (at + dearSteps < best) {
          best = at + dearSteps;
          end = server;
          drop = dear;
          dropAt = origin;
        }
      }
      let amount = missing;
      if (drop === undefined) amount = Math.min(amount, left[end]);
      else if (drop === cheap) amount = Math.min(amount, droppableCheaply[dropAt] - cheap[dropAt]);
      if (drop !== undefined && end !== -1) amount = Math.min(amount, flow[dropAt * R + end]);
      for (let to = end; to !== -1; to = before[to]!)
        if (before[to] !== -1) amount = Math.min(amount, flow[via[to] * R + before[to]]);
      if (!(amount > 0)) throw new InvariantError(`a path of flow from region ${source} carries ${amount}`);
      if (drop === undefined) left[end] -= amount;
      else {
        drop[dropAt] += amount;
        if (end !== -1) flow[dropAt * R + end] -= amount;
      }
      for (let to = end; to !== -1; to = before[to]!) {
        flow[via[to] * R + to] += amount;
        if (before[to] !== -1) flow[via[to] * R + before[to]] -= amount;
      }
      missing -= amount;
    }
    if (dear[source] > 0 || cheap[source] > 0) {
      shortestPaths(source);
      for (let to = 0; to < R; to++) if (distance[to] < Infinity) reached.add(to);
    }
  }
  let flowUsd = 0;
  if (price !== undefined) for (let at = 0; at < flow.length; at++) if (flow[at] > 0) flowUsd += flow[at] * price[at];
  return { flow, cheaplyDropped: cheap, dearlyDropped: dear, flowUsd, saturated: [...reached].sort((a, b) => a - b) };

  /**
   * Bellman and Ford over servers: from the source, on through any origin that a full server
   * serves.
   */
  function shortestPaths(source: number): void {
    for (let to = 0; to < R; to++) {
      distance[to] = priceOf(source, to);
      via[to] = source;
      before[to] = -1;
    }
    for (let round = 0, changed = true; changed && round < 2 * R; round++) {
      changed = false;
      for (let from = 0; from < R; from++) {
        // A path ends where there is room: since flows so far are the cheapest, going on through
        // would not be cheaper.
        if (distance[from] === Infinity || left[from] > 0) continue;
        for (let origin = 0; origin < R; origin++) {
          if (!(flow[origin * R + from] > 0)) continue;
          const base = distance[from] - priceOf(origin, from);
          for (let to = 0; to < R; to++) {
            if (to !== from && base + priceOf(origin, to) < distance[to]) {
              distance[to] = base + priceOf(origin, to);
              via[to] = origin;
              before[to] = from;
              changed = true;
            }
          }
        }
      }
    }
  }

  /** Cheapest way for one of `origin`'s units to make room on the path, and at which server. */
  function pushedBack(origin: number): readonly [number, number] {
    let best = Infinity;
    let server = -1;
    for (let at = 0; at < R; at++) {
      if (distance[at] === Infinity || !(flow[origin * R + at] > 0)) continue;
      const usd = distance[at] - priceOf(origin, at);
      if (usd < best) {
        best = usd;
        server = at;
      }
    }
    return [best, server];
  }
}
