import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createRooflinePerformanceModel, modelId, skuId } from 'sageserve';

/** Median error of the time per output token that the roofline may have. */
const LIMIT = 0.1;
/**
 * A point whose first token took this share of its output time was queueing, which one instance's
 * iteration time does not describe.
 */
const QUEUEING_SHARE = 0.3;

/**
 * Compares the roofline with measured serving points: dense models at 16 bits that the package
 * knows, their time per output token at a concurrency. At a steady concurrency c each output token
 * comes with one iteration, and in (c − 1) of every output-length iterations another request's
 * prompt is prefilled beside it.
 */
export async function verifyRoofline(dir: string): Promise<boolean> {
  const [header, ...lines] = gunzipSync(await readFile(join(dir, 'serving_points_ttft_tpot.csv.gz')))
    .toString('utf8')
    .trim()
    .split(/\r?\n/);
  const names = header!.split(',');
  const errors: number[] = [];
  const signed: number[] = [];
  let left = 0;
  for (const line of lines) {
    const row = Object.fromEntries(line.split(',').map((value, i) => [names[i]!, value]));
    if (
      row['model_path'] !== 'meta-llama/Llama-3.1-8B-Instruct' ||
      row['system'] !== 'h100_sxm' ||
      row['precision'] !== '' ||
      row['mode'] !== 'agg'
    )
      continue;
    const [concurrency, prompt, output, gpus, ttftMs, tpotMs] = [
      'batch_size',
      'isl',
      'osl',
      'tp_size',
      'silicon_ttft_ms',
      'silicon_tpot_ms',
    ].map((name) => Number(row[name])) as [number, number, number, number, number, number];
    const performance = createRooflinePerformanceModel().forDeployment({
      modelId: modelId('llama-3.1-8b'),
      skuId: skuId('h100-80gb'),
      gpusPerInstance: gpus,
    });
    if (ttftMs > QUEUEING_SHARE * output * tpotMs || concurrency * (prompt + output) > performance.kvCapacityTokens) {
      left++;
      continue;
    }
    const kvTokens = concurrency * (prompt + output / 2);
    const decodeMs = performance.iterationMs(0, concurrency, kvTokens, 0, 0);
    const mixedMs = performance.iterationMs(prompt, concurrency, kvTokens, 0, 1);
    const error = (decodeMs + ((concurrency - 1) / output) * (mixedMs - decodeMs)) / tpotMs - 1;
    signed.push(error);
    errors.push(Math.abs(error));
  }
  if (errors.length === 0) throw new Error('there is no point of Llama-3.1-8B at 16 bits on H100');
  const at = (values: number[], q: number): number =>
    [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
  const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
  const median = at(errors, 0.5);
  console.log(`roofline: ${dir}`);
  console.log(
    `  ${errors.length} serving points of Llama-3.1-8B at 16 bits on 1 to 8 H100; ${left} that were queueing or ` +
      'beyond KV memory left out',
  );
  console.log(
    `  time per output token: median error ${percent(median)}, 90th percentile ${percent(at(errors, 0.9))}, bias ` +
      percent(at(signed, 0.5)),
  );
  console.log(`  ${median <= LIMIT ? 'ok  ' : 'MISS'} median error ${percent(median)} of at most ${percent(LIMIT)}`);
  return median <= LIMIT;
}
