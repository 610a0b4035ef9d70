import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTraffic, openTrace, preset, writeTrace } from 'sageserve';
import { cpuSeconds, type Figure, median, peakMemoryMb } from './measure.js';

const ROWS = 2_000_000;
const ROUNDS = 3;

/** Decoding two million rows of every form into columns, and generating as many. */
export async function benchTrace(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'sageserve-bench-'));
  const figures: Figure[] = [];
  try {
    const generated = await buildTraffic(preset('paper-day'));
    await writeTrace(join(dir, 'trace.csv'), generated, { limit: ROWS });
    await writeTrace(join(dir, 'trace.jsonl'), await openTrace(join(dir, 'trace.csv')));
    await writeTrace(join(dir, 'trace.parquet'), await openTrace(join(dir, 'trace.csv')));
    await writeTrace(join(dir, 'trace.csv.gz'), await openTrace(join(dir, 'trace.csv')));
    for (const [form, atLeast] of [
      ['csv', 1_000_000],
      ['csv.gz', undefined],
      ['jsonl', undefined],
      ['parquet', undefined],
    ] as const) {
      const path = join(dir, `trace.${form}`);
      const rates: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const start = cpuSeconds();
        let rows = 0;
        for await (const batch of (await openTrace(path)).batches()) rows += batch.length;
        if (rows !== ROWS) throw new Error(`read ${rows} rows of ${ROWS} from ${path}`);
        rates.push(rows / (cpuSeconds() - start));
      }
      const megabytes = (await stat(path)).size / 1e6;
      figures.push({
        name: `read ${form} (${megabytes.toFixed(0)} MB)`,
        value: median(rates),
        unit: 'rows/CPU-s',
        ...(atLeast === undefined ? {} : { target: { atLeast } }),
      });
    }
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = cpuSeconds();
      let rows = 0;
      for await (const batch of (await buildTraffic({ ...preset('paper-day'), duration: '6h' })).batches())
        rows += batch.length;
      rates.push(rows / (cpuSeconds() - start));
    }
    figures.push(
      { name: 'generate', value: median(rates), unit: 'rows/CPU-s' },
      { name: 'peak memory', value: peakMemoryMb(), unit: 'MB' },
    );
    return figures;
  } finally {
    await rm(dir, { recursive: true });
  }
}
