import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { buildTraffic, preset } from '@sageserve/scenario';
import { BatchRing } from '@sageserve/trace';
import type { RunPool } from './run-pool.js';
import type { ThreadJob } from './thread-jobs.js';
import { trafficAhead, trafficPays } from './traffic-ahead.js';

const scenario = { ...preset('small'), duration: '10m' };

/** A pool whose thread does that with the ring it is given. */
function poolOf(make: (ring: BatchRing) => Promise<void>): RunPool<string> {
  return {
    run: async (_item: string, job: ThreadJob<'traffic'>) => {
      await make(new BatchRing(job.memory));
      return { answer: undefined, busySeconds: 0 };
    },
  } as unknown as RunPool<string>;
}

async function idsOf(pool: RunPool<string>): Promise<number[]> {
  const trace = trafficAhead(pool, scenario, undefined, await buildTraffic(scenario), new AbortController().signal);
  const ids: number[] = [];
  for await (const batch of trace.batches()) ids.push(...batch.requestId.subarray(0, batch.length));
  return ids;
}

it('has the requests that a thread makes, and what is wrong with it, whenever that comes', async () => {
  const whole = await idsOf(
    poolOf(async (ring) => {
      for await (const batch of (await buildTraffic(scenario)).batches()) ring.put(batch);
      ring.end();
    }),
  );
  expect(whole.length).toBeGreaterThan(10_000);
  expect(whole).toEqual(whole.map((_, i) => i));
  await expect(idsOf(poolOf(() => Promise.reject(new Error('the thread is gone'))))).rejects.toThrow('thread is gone');
  await expect(
    idsOf(
      poolOf(async (ring) => {
        for await (const batch of (await buildTraffic(scenario)).batches()) {
          ring.put(batch);
          throw new Error('no memory');
        }
      }),
    ),
  ).rejects.toThrow('no memory');
});

it('is for traffic that is generated, and much of it', () => {
  const day = { ...scenario, traffic: { ...scenario.traffic, requestsPerDay: 10_000_000 } };
  const { requestsPerDay: _, ...fromFile } = day.traffic;
  const hours = (n: number): number => n * 3_600_000;
  expect(trafficPays(day, hours(24))).toBe(availableParallelism() > 1);
  expect(trafficPays(day, hours(1))).toBe(false);
  expect(trafficPays({ ...day, traffic: { ...fromFile, trace: 'a.csv' } }, hours(24))).toBe(false);
  expect(trafficPays(day, undefined)).toBe(false);
});
