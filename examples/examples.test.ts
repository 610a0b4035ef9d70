import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { forecasterConformance, regionRouterConformance, scalingPolicyConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createHalfAndHalfForecaster } from './my-forecaster.mjs';
import { createStickyRouter } from './my-router.mjs';
import { createProportionalScaling } from './my-scaler.mjs';

describe('policies of one’s own', () => {
  for (const check of regionRouterConformance(() => createStickyRouter())) it(`router: ${check.name}`, check.run);
  for (const check of scalingPolicyConformance(() => createProportionalScaling()))
    it(`scaler: ${check.name}`, check.run);
  for (const check of forecasterConformance(() => createHalfAndHalfForecaster()))
    it(`forecaster: ${check.name}`, check.run);

  it('run through compare by their names in a scenario file', () => {
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        here('../packages/sageserve/bin/sageserve.js'),
        'compare',
        here('my-scenario.yaml'),
        '--duration',
        '40m',
        '--json',
      ],
      {
        encoding: 'utf8',
      },
    );
    expect(stderr).not.toContain('error');
    expect(status).toBe(0);
    const { strategies, rows } = JSON.parse(stdout) as {
      strategies: string[];
      rows: { key: string; estimates: ({ mean: number } | null)[] }[];
    };
    expect(strategies).toEqual(['reactive', 'proportional', 'proportional (target 0.3)', 'sage']);
    const row = (key: string) => rows.find((one) => one.key === key)!.estimates.map((one) => one?.mean);
    expect(new Set(row('arrived')).size).toBe(1);
    expect(row('unfinished')).toEqual([0, 0, 0, 0]);
    expect(row('gpu-hours')[2]).toBeGreaterThan(row('gpu-hours')[1]!);
    // Only sage asks the forecaster.
    expect(row('wape').map((value) => value !== undefined)).toEqual([false, false, false, true]);
  });
});
