import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  createCheapestFirstAcquisition,
  createFcfsScheduler,
  createImmediateRelease,
  createLeastOutstandingTokensRouter,
  createNoOverflow,
  createLeastWorkLostVictim,
  createOperatorTablesPerformance,
  createOriginOnlyRouter,
  createStaticScaling,
  kvBytesPerToken,
  modelId,
  operatorsNotUsed,
  type OperatorTables,
  regionId,
  shapeOf,
  simulate,
  skuId,
  traceFromRequests,
  WORKLOAD_TIERS,
  weightBytes,
} from 'sageserve';

/** How far the simulated times may be off, relative to the measurement. */
const LIMITS = { meanE2e: 0.05, medianRequestE2e: 0.1, ttftP50: 0.2 } as const;
/**
 * Memory of the GPU that is assumed where the meta file does not say (RTX PRO 6000 Blackwell, 96
 * GB), and the share of it that vLLM takes.
 */
const ASSUMED_GPU_BYTES = 96e9;
const DEFAULT_MEMORY_SHARE = 0.9;

interface Measured {
  readonly input_toks: number;
  readonly output_toks: number;
  readonly arrival_time: number;
  readonly queued_ts: number;
  readonly first_token_ts: number;
  readonly last_token_ts: number;
}

interface CacheMeta {
  readonly num_kv_tokens?: number | null;
  readonly kv_cache_size_tokens?: number | null;
  readonly num_gpu_blocks?: number | null;
  readonly num_gpu_blocks_override?: number | null;
  readonly block_size?: number | null;
  readonly gpu_memory_utilization?: number | null;
}

interface Meta {
  readonly model: string;
  readonly vllm_version: string;
  readonly engine_kwargs: CacheMeta & {
    readonly max_num_seqs: number;
    readonly max_num_batched_tokens: number;
    readonly tensor_parallel_size?: number;
  };
  readonly kv_cache?: CacheMeta;
  readonly resolved_config?: { readonly cache_config?: CacheMeta };
  readonly hardware?: { readonly device_name?: string; readonly device_total_memory_bytes?: number };
}

/** KV tokens of the measured engine and where they are known from. */
function kvCapacityOf(meta: Meta, shape: ReturnType<typeof shapeOf>): { tokens: number; source: string } {
  const places = [meta.kv_cache, meta.resolved_config?.cache_config, meta.engine_kwargs];
  for (const place of places) {
    const tokens = place?.num_kv_tokens ?? place?.kv_cache_size_tokens;
    if (typeof tokens === 'number' && tokens > 0) return { tokens, source: 'stated in the meta file' };
  }
  for (const place of places) {
    const blocks = place?.num_gpu_blocks_override ?? place?.num_gpu_blocks;
    const size = place?.block_size;
    if (typeof blocks === 'number' && blocks > 0 && typeof size === 'number')
      return { tokens: blocks * size, source: `${blocks} blocks of ${size} in the meta file` };
  }
  const gpus = meta.engine_kwargs.tensor_parallel_size ?? 1;
  const bytes = meta.hardware?.device_total_memory_bytes;
  const share = places.find((place) => typeof place?.gpu_memory_utilization === 'number')?.gpu_memory_utilization;
  const free = gpus * (share ?? DEFAULT_MEMORY_SHARE) * (bytes ?? ASSUMED_GPU_BYTES) - weightBytes(shape);
  if (!(free > 0)) throw new Error(`${meta.model} does not fit ${gpus} GPU(s) of ${bytes ?? ASSUMED_GPU_BYTES} bytes`);
  return {
    tokens: Math.floor(free / kvBytesPerToken(shape)),
    source:
      bytes === undefined
        ? `ASSUMED: ${gpus} GPU(s) of ${ASSUMED_GPU_BYTES / 1e9} GB, the meta file states neither KV cache nor memory`
        : `reckoned from the memory of ${gpus} × ${meta.hardware?.device_name ?? 'the GPU'} in the meta file`,
  };
}

/**
 * Replays requests that a real vLLM served and prints how far the simulated times are off. Nothing
 * is fitted on the requests. Returns whether the limits are kept.
 */
export async function verifyVllm(dir: string): Promise<boolean> {
  const names = await readdir(dir);
  const file = (ending: string): string => {
    const name = names.find((n) => n.endsWith(ending) || n.endsWith(`${ending}.gz`));
    if (name === undefined) throw new Error(`there is no file *${ending}`);
    return join(dir, name);
  };
  const meta = JSON.parse(await readFile(file('_meta.json'), 'utf8')) as Meta;
  const requests = (await readText(file('_requests.jsonl')))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Measured)
    .sort((a, b) => a.arrival_time - b.arrival_time);
  const tables: OperatorTables = {
    dense: (await readCsv(file('_dense.csv'))).map((r) => ({
      layer: r['layer']!,
      tokens: Number(r['tokens']),
      timeUs: Number(r['time_us']),
    })),
    perSequence: (await readCsv(file('_per_sequence.csv'))).map((r) => ({
      layer: r['layer']!,
      sequences: Number(r['sequences']),
      timeUs: Number(r['time_us']),
    })),
    attention: (await readCsv(file('_attention.csv'))).map((r) => ({
      prefillChunk: Number(r['prefill_chunk']),
      kvPrefill: Number(r['kv_prefill']),
      decodes: Number(r['n_decode']),
      kvDecode: Number(r['kv_decode']),
      timeUs: Number(r['time_us']),
    })),
  };
  const shape = shapeOf(meta.model.split('/').at(-1)!.toLowerCase());
  const kv = kvCapacityOf(meta, shape);
  const performance = createOperatorTablesPerformance(tables, {
    layers: shape.layers,
    kvCapacityTokens: kv.tokens,
  });
  // Two clocks: Unix time at the client, monotonic in the engine. The quickest request sets the
  // offset between them, so that no time is negative.
  const offset = Math.min(...requests.map((r) => r.queued_ts - r.arrival_time));
  const arrivals = requests.map((r) => r.arrival_time + offset);
  const start = arrivals[0]!;
  const region = regionId('local');
  const model = modelId(shape.modelId);
  const sku = skuId('measured-gpu');
  const simulated = new Map<number, { ttftS: number; e2eS: number }>();
  const { preemptions } = await simulate(
    {
      regions: [region],
      models: [model],
      skus: [{ skuId: sku, usdPerGpuHour: 0, reclaimMs: 0, redeployMs: 0, newVmMs: 0 }],
      endpoints: [
        {
          region,
          model,
          sku,
          pool: 'shared',
          tiers: WORKLOAD_TIERS,
          gpusPerInstance: 1,
          performance,
          initialInstances: 1,
          minInstances: 1,
          maxInstances: 1,
        },
      ],
      gpuCapacity: [[1]],
      networkRttMs: [[0]],
      engine: {
        like: 'vllm-v1',
        maxBatchRequests: meta.engine_kwargs.max_num_seqs,
        maxBatchTokens: meta.engine_kwargs.max_num_batched_tokens,
      },
      policies: {
        regionRouter: createOriginOnlyRouter(),
        instanceRouter: createLeastOutstandingTokensRouter(),
        batchScheduler: createFcfsScheduler(),
        release: createImmediateRelease(),
        overflow: createNoOverflow(),
        scaling: createStaticScaling(),
        victim: createLeastWorkLostVictim(),
        acquisition: createCheapestFirstAcquisition(),
      },
    },
    traceFromRequests(
      requests.map((r, i) => ({
        requestId: i,
        arrivedAtMs: (arrivals[i]! - start) * 1_000,
        promptTokens: r.input_toks,
        outputTokens: r.output_toks,
        originRegion: 'local',
        model: shape.modelId,
      })),
    ),
    {
      audit: true,
      onRequestEnd(table, slot, _outcome, endedAtMs) {
        const arrived = table.arrivedAtMs[slot]!;
        simulated.set(table.requestId[slot]!, {
          ttftS: (table.firstTokenAtMs[slot]! - arrived) / 1_000,
          e2eS: (endedAtMs - arrived) / 1_000,
        });
      },
    },
  );
  const real = requests.map((r, i) => ({
    ttftS: r.first_token_ts - arrivals[i]!,
    e2eS: r.last_token_ts - arrivals[i]!,
    tbtS: (r.last_token_ts - r.first_token_ts) / (r.output_toks - 1),
  }));
  const ours = requests.map((r, i) => {
    const { ttftS, e2eS } = simulated.get(i)!;
    return { ttftS, e2eS, tbtS: (e2eS - ttftS) / (r.output_toks - 1) };
  });
  console.log(`vllm: ${dir}`);
  console.log(
    `  ${requests.length} requests, ${meta.model}, vLLM ${meta.vllm_version}; times from operator tables, ` +
      'nothing fitted on the requests',
  );
  console.log(`  KV cache of ${kv.tokens} tokens, ${kv.source}; ${preemptions} preemptions simulated`);
  const unused = operatorsNotUsed(tables);
  if (unused.length > 0) console.log(`  not used of the operator tables: ${unused.join(', ')}`);
  const parallel = meta.engine_kwargs.tensor_parallel_size ?? 1;
  if (parallel > 1)
    console.log(`  not simulated: the all-reduces between ${parallel} GPUs, which the operator tables do not hold`);
  console.log('                measured  simulated   error');
  const error: Record<string, number> = {};
  for (const [label, key] of [
    ['E2E', 'e2eS'],
    ['TTFT', 'ttftS'],
    ['TBT', 'tbtS'],
  ] as const) {
    for (const [statistic, of] of [
      ['mean', mean],
      ['p50', (v: number[]) => quantile(v, 0.5)],
      ['p95', (v: number[]) => quantile(v, 0.95)],
    ] as const) {
      const want = of(real.map((r) => r[key]));
      const got = of(ours.map((r) => r[key]));
      error[`${label} ${statistic}`] = got / want - 1;
      console.log(
        '  ' +
          `${`${label} ${statistic}`.padEnd(12)}${`${want.toFixed(4)} s`.padStart(10)}${`${got.toFixed(4)} s`.padStart(11)}${percent(got / want - 1).padStart(8)}`,
      );
    }
  }
  const perRequest = quantile(
    real.map((r, i) => Math.abs(ours[i]!.e2eS / r.e2eS - 1)),
    0.5,
  );
  const checks = [
    ['mean E2E error', Math.abs(error['E2E mean']!), LIMITS.meanE2e],
    ['median per-request E2E error', perRequest, LIMITS.medianRequestE2e],
    ['TTFT p50 error', Math.abs(error['TTFT p50']!), LIMITS.ttftP50],
  ] as const;
  for (const [name, value, limit] of checks)
    console.log(
      `  ${value <= limit ? 'ok  ' : 'MISS'} ${name.padEnd(30)}${percent(value).padStart(7)} of at most ` +
        percent(limit),
    );
  return checks.every(([, value, limit]) => value <= limit);
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}

async function readCsv(path: string): Promise<Record<string, string>[]> {
  const [header, ...lines] = (await readText(path)).trim().split(/\r?\n/);
  const names = header!.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, i) => [names[i]!, value])));
}

const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
