import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Rng, TraceStream } from 'sageserve';
import { characterize, demandOfTrace, messageOf, openTrace, sortTrace, TRACE_FORMATS, writeTrace } from 'sageserve';
import { chance, mutateBytes, ODD_TEXT, pick, whole } from './mutate.js';

/** A few rows of every text format, each with its ending. */
const SEEDS: readonly (readonly [ending: string, text: string])[] = [
  [
    'csv',
    '# ' +
      'start=2024-05-13T00:00:00.000Z\narrived_at_s,prompt_tokens,output_tokens,request_id,origin_region,model,tier,deadline_s,allowed_regions,tenant,application,priority\n0.5,100,20,7,eastus,"llama, ' +
      '""big""",interactive-normal,60.5,eastus|westus,acme,chat,3\n1,1,1,8,westus,small,niw,,,,,\n',
  ],
  ['csv', 'arrived_at_s,prompt_tokens,output_tokens\n0,5,5\n1.25,6,7\n90,1,1\n'],
  [
    'csv',
    'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 ' +
      '18:15:50.9951690,396,109\n',
  ],
  [
    'csv',
    'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation ' +
      'log\n45,GPT-4,1087,230,1317,API log\n',
  ],
  [
    'csv',
    'request_id,batch_id,client_tenant,request_type,scenario,sla,utility,regions,model_type,workload_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n0,1,t,0,s,1,1,120,A,prod,7,0.5,1,100,10\n1,1,t,0,s,1,1,2,B,dev,7,1.5,1,50,5\n',
  ],
  [
    'jsonl',
    '{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n{"timestamp": 3052, ' +
      '"input_length": 7322, "output_length": 490, "hash_ids": [0]}\n',
  ],
  [
    'jsonl',
    '{"start":"2024-05-13T00:00:00.000Z","arrived_at_s":0.5,"prompt_tokens":9,"output_tokens":3,"request_id":1,"origin_region":"eastus","model":"m","tier":"interactive-fast","deadline_s":9,"allowed_regions":["eastus"],"priority":1}\n{"arrived_at_s":2,"prompt_tokens":1,"output_tokens":1}\n',
  ],
];
const OUT = ['csv', 'jsonl', 'parquet', 'csv.gz'] as const;

/**
 * One field of a text in the place of which something odd stands, or a line doubled, moved or taken
 * out.
 */
function mutateText(rng: Rng, text: string): string {
  const lines = text.split('\n');
  for (let n = 1 + whole(rng, 3); n > 0; n--) {
    const at = whole(rng, lines.length);
    const line = lines[at]!;
    if (chance(rng, 0.15)) lines.splice(at, 1);
    else if (chance(rng, 0.15)) lines.splice(whole(rng, lines.length), 0, line);
    else if (line.startsWith('{')) {
      const values = [...line.matchAll(/:\s*("[^"]*"|[-\d.eE+]+|\[[^\]]*\])/g)];
      const value = values[whole(rng, Math.max(1, values.length))];
      const odd = pick(rng, ODD_TEXT);
      const written = chance(rng, 0.5)
        ? JSON.stringify(odd)
        : pick(rng, ['null', 'true', '{}', '[]', '[1]', '[null]', '1e999', '-1e999', '9007199254740993', odd]);
      if (value !== undefined)
        lines[at] = `${line.slice(0, value.index)}: ${written}${line.slice(value.index + value[0].length)}`;
    } else {
      const fields = line.split(',');
      fields[whole(rng, fields.length)] = pick(rng, ODD_TEXT);
      lines[at] = fields.join(',');
    }
  }
  return lines.join('\n');
}

/**
 * Rows that are right one by one, and many together: names, gaps and token counts at their largest,
 * which each takes a place of its own where they are counted.
 */
function manyRows(rng: Rng): string {
  const rows = pick(rng, [300, 1_000, 3_000]);
  const models = pick(rng, [1, 40, rows]);
  const regions = pick(rng, [1, 3, rows]);
  const gapS = pick(rng, [0.001, 600, 172_800, 31_000_000]);
  const tokens = pick(rng, [100, 1_000_000, 2 ** 31 - 1 - rows]);
  const name = pick(rng, ['m', 'x'.repeat(2_000)]);
  const lines = ['arrived_at_s,prompt_tokens,output_tokens,model,origin_region'];
  let atS = 0;
  for (let i = 0; i < rows; i++) {
    lines.push(`${atS},${tokens + (i % pick(rng, [1, 7, rows]))},1,${name}${i % models},r${i % regions}`);
    if (chance(rng, 0.9)) atS = Math.min(3e9, atS + gapS * rng.next());
  }
  return `${lines.join('\n')}\n`;
}
/** One of so many inputs is of that kind: each takes a hundred times as long. */
const MANY = 0.001;

/** What was written must be what can be read: as many requests, and finite numbers. */
async function readBack(path: string, written: number): Promise<unknown> {
  try {
    const summary = await characterize(
      await openTrace(path, {
        format: path.endsWith('jsonl')
          ? 'sageserve-jsonl'
          : path.endsWith('parquet')
            ? 'sageserve-parquet'
            : 'sageserve-csv',
      }),
    );
    if (summary.total.requests !== written)
      throw new Error(`${written} requests were written, ${summary.total.requests} are read`);
    return summary;
  } catch (error) {
    throw new Error(`its own output is refused: ${messageOf(error)}`, { cause: error });
  }
}

/** Its demand by model and region, where that is not too much. */
async function demandOf(trace: TraceStream, rng: Rng): Promise<unknown> {
  const { series } = await demandOfTrace(trace, 'in.csv', { stepMs: pick(rng, [1_000, 600_000, 86_400_000]) });
  return series.map(({ promptTokensPerS, requestsPerS }) => [promptTokensPerS, requestsPerS]);
}

/**
 * A mutated text trace: opened, described, sorted or not, written in one of our forms and read
 * back.
 */
export async function fuzzTrace(rng: Rng, folder: string): Promise<unknown> {
  const [ending, seed] = pick(rng, SEEDS);
  const many = ending === 'csv' && chance(rng, MANY);
  const text = many ? manyRows(rng) : chance(rng, 0.03) ? seed.repeat(60) : seed;
  let bytes = Buffer.from(!many && chance(rng, 0.75) ? mutateText(rng, text) : text);
  if (chance(rng, 0.35)) bytes = Buffer.from(mutateBytes(rng, bytes));
  const gz = chance(rng, 0.02);
  if (gz) bytes = Buffer.from(chance(rng, 0.5) ? mutateBytes(rng, gzipSync(bytes)) : gzipSync(bytes));
  const path = join(folder, `in.${ending}${gz ? '.gz' : ''}`);
  const out = join(folder, `out.${chance(rng, 0.9) ? 'csv' : pick(rng, OUT)}`);
  await writeFile(path, bytes);
  const skippedRows = { count: 0, examples: [] };
  const anyOrder = chance(rng, 0.2);
  try {
    const trace = await openTrace(path, {
      anyOrder,
      ...(chance(rng, 0.4) ? { skippedRows } : {}),
      ...(chance(rng, 0.05)
        ? {
            format: pick(
              rng,
              TRACE_FORMATS.filter((format) => format !== 'sageserve-parquet'),
            ),
          }
        : {}),
    });
    if (many && chance(rng, 0.5)) return await demandOf(trace, rng);
    if (!anyOrder && chance(rng, 0.5)) return await characterize(trace);
    const written = await writeTrace(out, anyOrder ? await sortTrace(trace) : trace);
    return await readBack(out, written);
  } finally {
    await rm(out, { force: true });
  }
}
