import type { Actuator, ControlLoop, ScalingDecision, TelemetrySource } from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';

/** What every telemetry source must do. */
export function telemetrySourceConformance(create: () => TelemetrySource): ConformanceCase[] {
  return [
    {
      name: 'gives snapshots without NaN, with shares from 0 up and counts that are whole',
      async run() {
        const snapshot = await create().snapshot();
        expect(Number.isFinite(snapshot.takenAtMs), 'does not say when the snapshot was taken');
        const ids = new Set(snapshot.endpoints.map((e) => e.endpointId));
        expect(ids.size === snapshot.endpoints.length, 'lists an endpoint twice');
        for (const e of snapshot.endpoints) {
          for (const count of [e.readyInstances, e.provisioningInstances, e.drainingInstances])
            expect(
              count === undefined || (Number.isInteger(count) && count >= 0),
              `${e.endpointId} has ${count} instances`,
            );
          for (const value of [
            e.kvCacheUtilization,
            e.queuedRequests,
            e.queuedTokens,
            e.runningRequests,
            e.demandTokensPerS,
          ]) {
            expect(
              value === undefined || (Number.isFinite(value) && value >= 0),
              `${e.endpointId} reports ${value}; what is unknown must be undefined`,
            );
          }
        }
      },
    },
  ];
}

/** What every actuator must do. `decisions` are ones that it can carry out. */
export function actuatorConformance(create: () => Actuator, decisions: readonly ScalingDecision[]): ConformanceCase[] {
  return [
    {
      name: 'answers every decision once, and changes nothing when told the same again',
      async run() {
        const actuator = create();
        const first = await actuator.apply(decisions);
        expect(first.length === decisions.length, `answered ${first.length} of ${decisions.length} decisions`);
        const second = await actuator.apply(decisions);
        for (const result of second)
          expect(result.status === 'unchanged', `${result.endpointId} was ${result.status} by a repeated decision`);
      },
    },
  ];
}

/** What every control loop must do. */
export function controlLoopConformance(create: () => ControlLoop): ConformanceCase[] {
  return [
    {
      name: 'reports each tick at its time and asks for a later one',
      async run() {
        const loop = create();
        let at = loop.nextTickAtMs;
        for (let tick = 0; tick < 5; tick++) {
          const report = await loop.tick(at);
          expect(report.atMs === at, `reported ${report.atMs} for a tick at ${at}`);
          expect(loop.nextTickAtMs > at, 'asked for no later tick');
          at = loop.nextTickAtMs;
        }
      },
    },
  ];
}
