import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWallClock } from '@sageserve/adapters/clock';
import { explain, type JournalEntry } from '@sageserve/controller';
import { endpointId, modelId, regionId, skuId, type WorkloadTier } from '@sageserve/core';
import {
  actuatorConformance,
  endpointLoadViewConformance,
  fakeRequest,
  instancePoolViewConformance,
  regionPoolViewConformance,
  telemetrySourceConformance,
} from '@sageserve/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLiveHost } from './live-host.mjs';

const clock = createWallClock();
const KEY = endpointId(regionId('eastus'), modelId('large'), skuId('timer'));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sageserve-live-host-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a live host of a page', () => {
  it('answers every request once, holds what may wait, keeps residency, and scales by what it reads', async () => {
    const host = await startLiveHost({ folder, clock });
    const tiers: WorkloadTier[] = ['interactive-fast', 'interactive-normal', 'non-interactive'];
    const asked = Array.from({ length: 240 }, async (_, i) => {
      // Open loop: each comes at its time, whatever became of those before.
      const atMs = clock.nowMs() + i * 8;
      await clock.sleepUntilMs(atMs);
      const view = fakeRequest({
        requestId: i,
        modelId: modelId(i % 4 === 0 ? 'small' : 'large'),
        tier: tiers[i % 3]!,
        originRegion: i % 5 === 0 ? 1 : 0,
        arrivedAtMs: atMs,
        deadlineAtMs: atMs + (i % 3 === 2 ? 86_400_000 : 1_000),
        promptTokens: 4_000,
      });
      return { i, outcome: await host.submit(view, i % 7 === 0 ? new Set([1]) : undefined) };
    });
    const outcomes = await Promise.all(asked);
    expect(outcomes.map(({ outcome }) => outcome.status)).toEqual(Array(240).fill('completed'));
    for (const { i, outcome } of outcomes) if (i % 7 === 0) expect(outcome.servedBy).toMatch(/^westus\//);
    expect(host.views.inFlight).toBe(0);
    await host.close();
    const journal = (await readFile(join(folder, 'journal.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as JournalEntry);
    const grown = journal.filter(
      (one) => one.kind === 'decision' && one.outcome === 'applied' && one.targetInstances > 2,
    );
    expect(grown.length).toBeGreaterThan(0);
    for (const [at, one] of journal.entries())
      if (one.kind === 'decision' && one.outcome === 'applied')
        expect(
          journal
            .slice(0, at)
            .some(
              (intent) => intent.kind === 'intent' && intent.endpointId === one.endpointId && intent.atMs === one.atMs,
            ),
        ).toBe(true);
    expect(explain(journal, KEY, Infinity).decision?.reason).toMatch(/^utilisation/);
    expect(await host.state.load('control-loop')).toContain('"version":1');
  });

  it('keeps the contracts that its parts are made for', async () => {
    const host = await startLiveHost({ folder, clock });
    const at = () => clock.nowMs();
    const request = fakeRequest({ modelId: modelId('large') });
    const decision = { endpointId: KEY, targetInstances: 3, reason: 'x' };
    for (const check of [
      ...telemetrySourceConformance(() => host.telemetry),
      ...regionPoolViewConformance(() => host.views.regionsFor(request, at())),
      ...instancePoolViewConformance(() => host.views.instancesOf(KEY, at())),
      ...endpointLoadViewConformance(() => host.views.loadOf(KEY, at())),
      ...actuatorConformance(async () => {
        await host.actuator.apply([{ ...decision, targetInstances: 2 }], { fence: 100 });
        return host.actuator;
      }, [decision]).slice(0, 2),
    ])
      await check.run();
    const older = await host.actuator.apply([decision], { fence: 99 });
    expect(older).toMatchObject([{ status: 'refused', reachedInstances: undefined }]);
    await host.close();
  });
});
