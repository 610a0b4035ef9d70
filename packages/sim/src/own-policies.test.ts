import { type ActuationResult, type ControlLoop, type OverflowPolicy, WORKLOAD_TIERS } from '@sageserve/core';
import { traceFromRequests } from '@sageserve/trace';
import { describe, expect, it } from 'vitest';
import type { ControlPorts } from './config.js';
import { request, testConfig } from './fixtures.js';
import { simulate } from './simulation.js';

/** A loop that asks for so many instances every minute, and takes what fails as it comes. */
function asking(target: number, results: ActuationResult[] = []) {
  return ({ telemetry, actuator }: ControlPorts): ControlLoop => {
    let next = 60_000;
    return {
      get nextTickAtMs() {
        return next;
      },
      async tick(nowMs) {
        next = nowMs + 60_000;
        const { endpoints } = await telemetry.snapshot();
        try {
          const { endpointId } = endpoints[0];
          results.push(...(await actuator.apply([{ endpointId, targetInstances: target, reason: 'test' }])));
        } catch {
          // As a live loop does.
        }
        return { atMs: nowMs, decisions: [], results: [], degradations: [] };
      },
    };
  };
}

const trace = () => traceFromRequests([request(0, 10, 10), request(100_000, 10, 10)]);

describe('policies that carry out what a control loop decides', () => {
  it('end the run where they break their contract, also where the loop goes on', async () => {
    const choose = () => NaN;
    const config = testConfig({ instances: 2, maxInstances: 4, minInstances: 1 });
    const victim = { ...config, policies: { ...config.policies, victim: { name: 'mine', choose } } };
    await expect(simulate({ ...victim, control: asking(1) }, trace())).rejects.toThrow(
      'victim policy "mine" answered with NaN where r0/m/gpu has 2 to choose from',
    );
    const acquisition = { ...config, policies: { ...config.policies, acquisition: { name: 'mine', choose } } };
    await expect(simulate({ ...acquisition, control: asking(3) }, trace())).rejects.toThrow(
      'acquisition policy "mine" answered with NaN where r0/m/gpu has 1 to choose from',
    );
  });

  it('may have none, and the loop is told so', async () => {
    const results: ActuationResult[] = [];
    const config = testConfig({ instances: 2, maxInstances: 4 });
    const acquisition = { name: 'mine', choose: () => -1 };
    const { actions } = await simulate(
      { ...config, policies: { ...config.policies, acquisition }, control: asking(4, results) },
      trace(),
    );
    expect(results).toMatchObject([
      { status: 'partial', reachedInstances: 2, detail: 'the acquisition policy took no way to have 2 of them' },
    ]);
    expect(actions).toMatchObject({ refused: 2, scaleOut: 0 });
  });
});

describe('an overflow policy', () => {
  /** A region with a pool of its own for interactive requests, and one for all of them. */
  const twoPools = (overflows: OverflowPolicy['overflows'], telemetry?: { readonly everyMs: number }) => {
    const config = testConfig({ gpus: 2, ...(telemetry === undefined ? {} : { telemetry }) });
    const [endpoint] = config.endpoints;
    return {
      ...config,
      endpoints: [
        { ...endpoint, pool: 'own', tiers: ['interactive-fast', 'interactive-normal'] as const },
        { ...endpoint, pool: 'mixed', tiers: WORKLOAD_TIERS },
      ],
      policies: { ...config.policies, overflow: { name: 'mine', overflows } },
    };
  };

  it('is asked of what may go to either of two pools, with the load of both', async () => {
    const asked: unknown[] = [];
    await simulate(
      twoPools((request, home, other, nowMs) => {
        asked.push([request.requestId, home.key, other.key, home.readyInstances, other.kvCacheUtilization! > 0, nowMs]);
        return request.promptTokens > 100;
      }),
      traceFromRequests([
        request(0, 200, 500),
        request(100, 10, 10),
        request(200, 10, 10, { tier: 'non-interactive', deadlineAtMs: 1e6 }),
      ]),
    );
    expect(asked).toEqual([
      [0, 'r0/m/own', 'r0/m/mixed', 1, false, 0],
      [1, 'r0/m/own', 'r0/m/mixed', 1, true, 100],
    ]);
  });

  it('sees the load late where the fleet is seen late', async () => {
    const seen: unknown[] = [];
    await simulate(
      twoPools(
        (_request, home, other) => {
          seen.push([home.ageMs, other.ageMs]);
          return false;
        },
        { everyMs: 10_000 },
      ),
      traceFromRequests([request(1_000, 10, 10), request(14_000, 10, 10)]),
    );
    expect(seen).toEqual([
      [1_000, 1_000],
      [4_000, 4_000],
    ]);
  });

  it('ends the run where it answers with anything but true and false', async () => {
    const overflows = (() => 1) as unknown as OverflowPolicy['overflows'];
    await expect(simulate(twoPools(overflows), trace())).rejects.toThrow(
      'overflow policy "mine" answered with 1 where r0/m/own may pass a request on to r0/m/mixed',
    );
    const { policies, ...config } = twoPools(overflows);
    const without = { ...policies, overflow: undefined as unknown as OverflowPolicy };
    await expect(simulate({ ...config, policies: without }, trace())).rejects.toThrow(
      'overflow policy without a name has no method overflows()',
    );
  });
});
