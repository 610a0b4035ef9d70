import {
  ConfigError,
  type EndpointSnapshot,
  type FleetSnapshot,
  MS_PER_HOUR,
  type ScalingDecision,
  type ScalingPolicy,
  isCounted,
  type CountedEndpoint,
} from '@sageserve/core';
import { bounded, plannedInstances, withCooldown } from './decorators.js';
import { keeping } from './kept.js';
import { ABANDONED, isAbandoned } from './last-instance.js';
import type { PoolLayout } from './siloed.js';
import { told } from './told.js';

export interface ChironLikeScalingOptions {
  /**
   * Share (0–1) of interactive and mixed capacity busy with interactive work above which the
   * interactive pool grows (default 0.6).
   */
  readonly busyAbove?: number;
  /** The pool shrinks where that share would still be under this one afterwards (default 0.4). */
  readonly idleBelow?: number;
  /** Tokens/s that an instance of the batch pool is taken to serve (default 3,000). */
  readonly batchTokensPerS?: number;
  /** Share (0–1) of the time to the deadline in which the backlog is to be served (default 0.5). */
  readonly deadlineShare?: number;
  /** Rest after each step (ms, default 60 s). */
  readonly cooldownMs?: number;
}

/**
 * Of twenty instances ten for interactive work, six that take what those have no room for and what
 * the batch pool has none for, and four for batch.
 */
export const CHIRON_POOLS: readonly PoolLayout[] = [
  { pool: 'interactive', tiers: ['interactive-fast', 'interactive-normal'], share: 0.5 },
  { pool: 'batch', tiers: ['non-interactive'], share: 0.2 },
  // Last: what serves a tier first is its own pool, and the other takes what that has no room for.
  { pool: 'mixed', tiers: ['interactive-fast', 'interactive-normal', 'non-interactive'], share: 0.3 },
];

/**
 * After Chiron (arXiv 2501.08090), as far as arXiv 2502.14617 has it as a baseline: interactive,
 * mixed and batch pools. What makes Chiron itself is missing: batch sizes that follow objectives
 * and backlog, batch work that is preempted for interactive requests, and estimates of how long a
 * queue will wait. The interactive and mixed pools grow on the share of their KV memory that is
 * busy with work, the batch pool by how long its backlog takes against its deadline. Meant for a
 * fleet laid out by {@link CHIRON_POOLS}.
 */
export function createChironLikeScaling(options: ChironLikeScalingOptions = {}): ScalingPolicy {
  const {
    busyAbove = 0.6,
    idleBelow = 0.4,
    batchTokensPerS = 3_000,
    deadlineShare = 0.5,
    cooldownMs = 60_000,
  } = options;
  if (!(busyAbove > 0 && busyAbove <= 1))
    throw new ConfigError('busyAbove', `must be above 0 and at most 1, not ${busyAbove}`);
  if (!(idleBelow >= 0 && idleBelow < busyAbove))
    throw new ConfigError('idleBelow', `must be from 0 to under busyAbove (${busyAbove}), not ${idleBelow}`);
  if (!(batchTokensPerS > 0)) throw new ConfigError('batchTokensPerS', `must be above 0, not ${batchTokensPerS}`);
  if (!(deadlineShare > 0 && deadlineShare <= 1))
    throw new ConfigError('deadlineShare', `must be above 0 and at most 1, not ${deadlineShare}`);

  /**
   * What the work that waits for an endpoint's model needs in one region, or undefined where
   * nothing is known.
   */
  function batchNeed(
    endpoint: EndpointSnapshot,
    fleet: FleetSnapshot,
    nowMs: number,
  ): { instances: number; why: string } | undefined {
    const backlog = fleet.backlog?.find((queue) => queue.modelId === endpoint.modelId);
    if (backlog === undefined) return undefined;
    const siblings = fleet.endpoints.filter(
      (other) => other.modelId === endpoint.modelId && other.pool === endpoint.pool,
    ).length;
    const tokens = backlog.promptTokens / siblings + (endpoint.queuedTokens ?? 0);
    if (tokens === 0) return { instances: 0, why: 'nothing waits' };
    // What has been let go already is due soon: it is given the shortest time.
    const leftMs = backlog.requests === 0 ? 0 : (backlog.earliestDeadlineAtMs - nowMs) * deadlineShare;
    const dueInMs = Math.max(MS_PER_HOUR / 2, leftMs);
    return {
      instances: Math.ceil(tokens / batchTokensPerS / (dueInMs / 1_000)),
      why:
        `a backlog of ${Math.round(tokens).toLocaleString('en-US')} tokens is to be served in ` +
        `${(dueInMs / MS_PER_HOUR).toFixed(1)} h`,
    };
  }

  const kept = keeping('what is busy or waits asks for no other count');

  function step(endpoint: CountedEndpoint, fleet: FleetSnapshot, nowMs: number): ScalingDecision | undefined {
    const planned = plannedInstances(endpoint);
    const to = (count: number, reason: string): ScalingDecision => ({
      endpointId: endpoint.endpointId,
      targetInstances: bounded(count, endpoint),
      reason,
    });
    if (planned < endpoint.minInstances)
      return to(endpoint.minInstances, `${planned} instances are under the minimum of ${endpoint.minInstances}`);
    if (isAbandoned(endpoint, fleet)) return to(1, ABANDONED);
    const utilization = endpoint.kvCacheUtilization;
    // Where there is no instance, what waits is all that can be read.
    if (utilization === undefined) return planned === 0 ? kept(endpoint) : undefined;
    if (!endpoint.tiers.includes('interactive-fast')) {
      const need = batchNeed(endpoint, fleet, nowMs);
      // What runs already must be served too: a busy pool is not taken apart.
      const busy = Math.ceil(utilization * endpoint.readyInstances);
      if (need === undefined) return undefined;
      const target = Math.min(endpoint.maxInstances, Math.max(endpoint.minInstances, need.instances, busy));
      if (target > planned) return to(planned + 1, need.why);
      return target < planned ? to(planned - 1, need.why) : kept(endpoint);
    }
    const busyShare = (limit: number): string =>
      `${told(100 * utilization, 100 * limit, 0)} % of the ${endpoint.pool} pool is busy`;
    if (utilization > busyAbove && planned < endpoint.maxInstances)
      return to(planned + 1, `${busyShare(busyAbove)}, above ${100 * busyAbove} %`);
    if (planned > endpoint.minInstances && (utilization * planned) / (planned - 1) < idleBelow)
      return to(planned - 1, `${busyShare(idleBelow)}: one less leaves it under ${100 * idleBelow} %`);
    return kept(endpoint);
  }

  const policy: ScalingPolicy = {
    name: 'chiron-like',
    decide(fleet, _plan, nowMs) {
      const decisions: ScalingDecision[] = [];
      for (const endpoint of fleet.endpoints) {
        if (!isCounted(endpoint)) continue;
        const decision = step(endpoint, fleet, nowMs);
        if (decision !== undefined) decisions.push(decision);
      }
      return decisions;
    },
  };
  return cooldownMs === 0 ? policy : withCooldown(policy, { cooldownMs });
}
