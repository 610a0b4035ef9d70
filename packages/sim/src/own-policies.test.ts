import type { ActuationResult, ControlLoop } from '@sageserve/core';
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
