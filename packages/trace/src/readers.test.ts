import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TraceFormatError } from '@sageserve/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wholeLines } from './byte-source.js';
import { characterize } from './characterize.js';
import { cutTrace, sortTrace, traceFromRequests } from './in-memory.js';
import { openTrace, type OpenTraceOptions } from './open-trace.js';
import { readCsv } from './readers/csv.js';
import { sageserveFormat } from './readers/sageserve.js';
import { createDictionaries, type TraceStream } from './request-batch.js';
import { RowSink, type SkippedRows } from './row-sink.js';
import { toRecord, writeTrace } from './writers/write-trace.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-trace-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function records(trace: TraceStream): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for await (const batch of trace.batches())
    for (let i = 0; i < batch.length; i++) rows.push(toRecord(batch, i, trace.dictionaries));
  return rows;
}

let files = 0;
async function read(
  content: string | Uint8Array,
  name = 'trace.csv',
  options: OpenTraceOptions = {},
): Promise<Record<string, unknown>[]> {
  const path = join(dir, `${files++}-${name}`);
  await writeFile(path, content);
  return records(await openTrace(path, options));
}

async function failure(content: string, name?: string): Promise<TraceFormatError> {
  return read(content, name).then(
    () => {
      throw new Error('was read without an error');
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(TraceFormatError);
      return error as TraceFormatError;
    },
  );
}

describe('our own CSV', () => {
  const full = `# start=2024-05-13T00:00:00.000Z
request_id,tier,model,origin_region,arrived_at_s,prompt_tokens,output_tokens,deadline_s,allowed_regions,tenant,application,priority
7,interactive-normal,"llama, ""big""",eastus,0.5,100,20,60.5,eastus|westus,acme,chat,3
8,niw,small,westus,1,1,1,,,,,
`;

  it('reads columns in any order, quoted names, aliases of tiers and what is left out', async () => {
    expect(await read(full)).toEqual([
      {
        arrived_at_s: 0.5,
        prompt_tokens: 100,
        output_tokens: 20,
        request_id: 7,
        origin_region: 'eastus',
        model: 'llama, "big"',
        tier: 'interactive-normal',
        deadline_s: 60.5,
        allowed_regions: ['eastus', 'westus'],
        tenant: 'acme',
        application: 'chat',
        priority: 3,
      },
      {
        arrived_at_s: 1,
        prompt_tokens: 1,
        output_tokens: 1,
        request_id: 8,
        origin_region: 'westus',
        model: 'small',
        tier: 'non-interactive',
      },
    ]);
  });

  it('reads the same from gzip, CRLF and a file without a last line break', async () => {
    const want = await read(full);
    expect(await read(gzipSync(full), 'trace.csv.gz')).toEqual(want);
    expect(await read(full.replaceAll('\n', '\r\n'))).toEqual(want);
    expect(await read(full.trimEnd())).toEqual(want);
  });

  it('reads the same however the bytes are cut into chunks', async () => {
    const bytes = new TextEncoder().encode(full);
    const parse = async (cuts: readonly number[]): Promise<unknown[]> => {
      const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
      async function* chunks() {
        for (let i = 1; i < edges.length; i++)
          if (edges[i] > edges[i - 1]) yield bytes.subarray(edges[i - 1], edges[i]);
      }
      const dictionaries = createDictionaries();
      const sink = new RowSink('x', {}, dictionaries);
      const rows: unknown[] = [];
      for await (const batch of readCsv('x', chunks(), sageserveFormat('x'), sink, { epochMs: undefined }))
        for (let i = 0; i < batch.length; i++) rows.push(toRecord(batch, i, dictionaries));
      return rows;
    };
    const want = await parse([]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length - 1), { maxLength: 12 }), async (cuts) => {
        expect(await parse(cuts)).toEqual(want);
      }),
    );
  });

  it('names file, line, column and reason of a bad row', async () => {
    const head = 'arrived_at_s,prompt_tokens,output_tokens,tier\n';
    const error = await failure(`${head}1,5,5,interactive-fast\n2,x,5,interactive-fast\n`);
    expect(error).toMatchObject({
      line: 3,
      column: 'prompt_tokens',
      reason: 'is not a whole number of tokens of 1 or more',
    });
    expect(error.message).toMatch(/trace\.csv:3, column prompt_tokens: is not/);
    expect((await failure(`${head}1,5,0,interactive-fast\n`)).column).toBe('output_tokens');
    expect((await failure(`${head}1,5,5,bulk\n`)).reason).toContain('"bulk" is not a tier; known: interactive-fast');
    expect((await failure(`${head}1,5,5\n`)).reason).toBe('has 3 fields where the header has 4');
    expect((await failure(`${head}-1,5,5,interactive-fast\n`)).column).toBe('arrived_at_s');
    expect((await failure(`${head}2,5,5,interactive-fast\n1.5,5,5,interactive-fast\n`)).reason).toContain(
      'comes 0.500 s before the row above',
    );
    expect((await failure(`${head}1,5,5,"interactive-fast\n`)).reason).toBe('a quoted field is not closed');
    expect((await failure('arrived_at_s,prompt_tokens\n')).message).toContain(
      'column output_tokens: is missing from the header',
    );
    expect((await failure('arrived_at_s,prompt_tokens,output_tokens,priority\n1,1,1,high\n')).column).toBe('priority');
  });

  it('takes a byte order mark, quoted headers and 16-digit ids; refuses what only looks like a number or a column', async () => {
    const rows = await read(
      '\uFEFF# ' +
        'start=2024-05-13T00:00:00Z\n"arrived_at_s","prompt_tokens","output_tokens","request_id"\n"1","5","5","9007199254740991"\n',
    );
    expect(rows).toMatchObject([{ arrived_at_s: 1, request_id: Number.MAX_SAFE_INTEGER }]);
    const head = 'arrived_at_s,prompt_tokens,output_tokens,priority\n';
    expect((await failure(`${head}0x10,5,5,0\n`)).column).toBe('arrived_at_s');
    expect((await failure(`${head}1,3000000000,5,0\n`)).reason).toBe('is more than 2147483647 tokens');
    expect((await failure(`${head}1,5,5,3000000000\n`)).column).toBe('priority');
    expect((await failure('arrived_at_s,prompt_tokens,output_tokens,prompt_tokens\n1,5,5,5\n')).reason).toBe(
      'stands twice in the header',
    );
    expect((await failure('TIMESTAMP,ContextTokens,GeneratedTokens\n2023-1.-16 18:15:46,374,44\n')).column).toBe(
      'TIMESTAMP',
    );
  });

  it('reads a file of which every row has a name of its own in good time', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `${i},5,5,tenant-${i}`);
    expect((await read(`arrived_at_s,prompt_tokens,output_tokens,tenant\n${lines.join('\n')}\n`)).at(-1)).toMatchObject(
      { tenant: 'tenant-99999' },
    );
  });

  it('leaves bad rows out on request, counts them and keeps examples', async () => {
    const skippedRows: SkippedRows = { count: 0, examples: [] };
    const rows = await read(
      'arrived_at_s,prompt_tokens,output_tokens\n1,5,5\nx,5,5\n3,5,5\n2,5,5\n4,5,5\n',
      'trace.csv',
      { skippedRows },
    );
    expect(rows.map((r) => r['arrived_at_s'])).toEqual([1, 3, 4]);
    expect(skippedRows.count).toBe(2);
    expect(skippedRows.examples.map((e) => e.line)).toEqual([3, 5]);
  });
});

describe('public formats', () => {
  it('reads Azure’s, with 7-digit fractions, zones and more columns', async () => {
    const rows = await read(
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 ' +
        '18:15:50.9951690,396,109\n',
    );
    expect(rows).toMatchObject([
      { arrived_at_s: 0, prompt_tokens: 374, output_tokens: 44 },
      { prompt_tokens: 396, output_tokens: 109 },
    ]);
    expect(rows[1]['arrived_at_s']).toBeCloseTo(4.314579, 9);
    const images = await read(
      'TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-10-15T00:00:00+00:00,2,900,10\n2024-10-15T01:00:01+01:00,0,10,10\n',
    );
    expect(images.map((r) => r['arrived_at_s'])).toEqual([0, 1]);
    expect((await failure('TIMESTAMP,ContextTokens,GeneratedTokens\n2023-02-30 18:15:46,374,44\n')).column).toBe(
      'TIMESTAMP',
    );
    for (const year of ['2823', '0023'])
      expect(
        (await failure(`TIMESTAMP,ContextTokens,GeneratedTokens\n${year}-02-10 18:15:46,374,44\n`)).message,
      ).toContain('is not a time between 1900 and 2200');
  });

  it('reads BurstGPT’s, where failures are bad rows', async () => {
    const csv =
      'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation ' +
      'log\n45,GPT-4,1087,0,1087,API log\n';
    expect(await failure(csv)).toMatchObject({ line: 3, column: 'Response tokens' });
    const skippedRows: SkippedRows = { count: 0, examples: [] };
    expect(await read(csv, 'b.csv', { skippedRows })).toEqual([
      {
        arrived_at_s: 5,
        prompt_tokens: 472,
        output_tokens: 18,
        request_id: 0,
        origin_region: 'unspecified',
        model: 'ChatGPT',
        tier: 'interactive-fast',
        application: 'Conversation log',
      },
    ]);
  });

  it('reads Mooncake’s', async () => {
    expect(
      await read('{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n', 'm.jsonl'),
    ).toMatchObject([{ arrived_at_s: 27.482, prompt_tokens: 6955, output_tokens: 52 }]);
  });

  it('reads the artifact’s: the order of preference, its first region the origin', async () => {
    const csv = `token_size,request_id,batch_id,client_tenant,request_type,scenario,sla,utility,regions,model_type,workload_type,application_id,arrival_timestamp,batch_size,prompt_size
105,1,-1,0,2,ES,10,1,021,B,prod,-1,0.32424,1,412
8,2,-1,1,2,ES,10,1,120,A,dev,-1,0.5,1,30
`;
    expect(await read(csv)).toMatchObject([
      {
        request_id: 1,
        origin_region: 'westus',
        allowed_regions: ['westus', 'eastus', 'centralus'],
        model: 'B',
        tier: 'interactive-fast',
        tenant: '0',
        arrived_at_s: 0.32424,
      },
      {
        request_id: 2,
        origin_region: 'centralus',
        allowed_regions: ['centralus', 'eastus', 'westus'],
        tier: 'non-interactive',
      },
    ]);
    expect((await failure(csv.replace(',021,', ',031,'))).column).toBe('regions');
    expect((await failure(csv.replace('prod', 'test'))).reason).toBe('"test" is neither prod nor dev');
  });

  it('says what it does not know', async () => {
    await expect(read('a,b,c\n1,2,3\n')).rejects.toThrow('the first line fits no known format: a,b,c');
    await expect(openTrace(join(dir, 'absent.csv'))).rejects.toThrow('there is no such file');
    expect(
      (await failure('{"arrived_at_s": 1, "prompt_tokens": 1, "output_tokens": 1}\n{oops\n', 'x.jsonl')).line,
    ).toBe(2);
  });
});

describe('mapping', () => {
  it('fills in regions, models and tiers by share, the same from the same seed, and renames', async () => {
    const csv =
      'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log ' +
      `Type\n${Array.from({ length: 4_000 }, (_, i) => `${i},GPT-4,10,10,20,API log`).join('\n')}\n`;
    const mapping = {
      seed: 3,
      fill: { region: { east: 3, west: 1 }, tier: { 'interactive-fast': 0.5, 'non-interactive': 0.5 } },
      rename: { model: { '*': 'llama-2-70b' } },
    };
    const rows = await read(csv, 'b.csv', { mapping });
    const share = (field: string, value: string) => rows.filter((r) => r[field] === value).length / rows.length;
    expect(share('origin_region', 'east')).toBeCloseTo(0.75, 1);
    expect(share('tier', 'non-interactive')).toBeCloseTo(0.5, 1);
    expect(share('model', 'llama-2-70b')).toBe(1);
    expect(await read(csv, 'b.csv', { mapping })).toEqual(rows);
    expect(await read(csv, 'b.csv', { mapping: { ...mapping, seed: 4 } })).not.toEqual(rows);
  });
});

describe('names that stand for none', () => {
  it('are not written, and filled in when they are read', async () => {
    const source = join(dir, 'azure-source.csv');
    await writeFile(source, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n');
    for (const form of ['csv', 'jsonl', 'parquet']) {
      const copy = join(dir, `azure-copy.${form}`);
      await writeTrace(copy, await openTrace(source));
      expect(
        await records(await openTrace(copy, { mapping: { fill: { region: { east: 1 }, model: { m: 1 } } } })),
      ).toMatchObject([{ origin_region: 'east', model: 'm' }]);
    }
    expect(
      await read('arrived_at_s,prompt_tokens,output_tokens,model\n1,1,1,unspecified\n', 'u.csv', {
        mapping: { fill: { model: { m: 1 } } },
      }),
    ).toMatchObject([{ model: 'm' }]);
  });
});

describe('writeTrace', () => {
  const request = fc.record({
    gapMs: fc.integer({ min: 0, max: 5_000 }),
    promptTokens: fc.integer({ min: 1, max: 100_000 }),
    outputTokens: fc.integer({ min: 1, max: 5_000 }),
    originRegion: fc.constantFrom('eastus', 'west "2", us', 'süd'),
    model: fc.constantFrom('a', 'b'),
    tier: fc.constantFrom('interactive-fast' as const, 'interactive-normal' as const, 'non-interactive' as const),
    slackMs: fc.option(fc.integer({ min: 0, max: 86_400_000 }), { nil: undefined }),
    allowedRegions: fc.option(fc.constantFrom(['eastus'], ['süd', 'eastus']), { nil: undefined }),
  });

  it('loses nothing, in any form', async () => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 40 }),
        fc.constantFrom('csv', 'csv.gz', 'jsonl', 'jsonl.gz', 'parquet'),
        async (list, form) => {
          let atMs = 0;
          const trace = traceFromRequests(
            list.map(({ gapMs, slackMs, allowedRegions, ...rest }) => {
              atMs += gapMs;
              return {
                ...rest,
                arrivedAtMs: atMs,
                ...(slackMs === undefined ? {} : { deadlineAtMs: atMs + slackMs }),
                ...(allowedRegions === undefined ? {} : { allowedRegions }),
              };
            }),
          );
          const path = join(dir, `round-${n++}.${form}`);
          expect(await writeTrace(path, trace)).toBe(list.length);
          expect(await records(await openTrace(path))).toEqual(await records(trace));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('stops at a limit, and leaves nothing behind when it is aborted', async () => {
    const trace = traceFromRequests(
      Array.from({ length: 10 }, (_, i) => ({
        arrivedAtMs: i,
        promptTokens: 1,
        outputTokens: 1,
        originRegion: 'r',
        model: 'm',
      })),
    );
    expect(await writeTrace(join(dir, 'limited.csv'), trace, { limit: 4 })).toBe(4);
    expect(await records(await openTrace(join(dir, 'limited.csv')))).toHaveLength(4);
    await expect(
      writeTrace(join(dir, 'aborted.csv'), trace, { signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
    await expect(openTrace(join(dir, 'aborted.csv'))).rejects.toThrow('there is no such file');
    await expect(writeTrace(join(dir, 'x.txt'), trace)).rejects.toThrow('must end in .csv');
  });
});

describe('sortTrace', () => {
  it('puts requests in order of arrival and keeps ties as they were', async () => {
    const path = join(dir, 'unsorted.csv');
    await writeFile(path, 'request_id,arrived_at_s,prompt_tokens,output_tokens\n1,3,1,1\n2,1,1,1\n3,3,1,1\n4,2,1,1\n');
    const sorted = await sortTrace(await openTrace(path, { anyOrder: true }));
    expect((await records(sorted)).map((r) => r['request_id'])).toEqual([2, 4, 1, 3]);
  });
});

describe('characterize', () => {
  it('describes traces of any length and token count without growing', async () => {
    const trace = traceFromRequests(
      [0, 1, 1e16].map((arrivedAtMs) => ({
        arrivedAtMs,
        promptTokens: arrivedAtMs === 1 ? 2_000_000_000 : 5,
        outputTokens: 1,
        originRegion: 'r',
        model: 'm',
      })),
    );
    const { total } = await characterize(trace);
    expect(total).toMatchObject({ requests: 3, promptTokens: { p50: 5, p99: 2_000_000_000, max: 2_000_000_000 } });
    expect(total.bins.length).toBeLessThan(1 << 19);
    expect(total.bins.reduce((a, b) => a + b, 0)).toBe(3);
  });
});

describe('characterize, of many groups', () => {
  it('counts all models more coarsely rather than one finer than another, and loses nothing', async () => {
    const requests = Array.from({ length: 3_000 }, (_, i) => ({
      arrivedAtMs: i * 2e8,
      promptTokens: 1_000_000 + (i % 7),
      outputTokens: 1,
      originRegion: 'r',
      model: `m${i % 300}`,
    }));
    const { byModel, binMs, total } = await characterize(traceFromRequests(requests));
    const models = Object.values(byModel);
    expect(models).toHaveLength(300);
    expect(models.map(({ bins }) => bins.reduce((a, b) => a + b, 0))).toEqual(models.map(() => 10));
    expect(models.every(({ bins }) => bins.length === total.bins.length)).toBe(true);
    expect(binMs * (total.bins.length - 1)).toBeLessThanOrEqual(requests.at(-1)!.arrivedAtMs + 1);
    expect(300 * total.bins.length).toBeLessThan(1 << 24);
  });

  it('has exact quantiles, whatever the counts', async () => {
    const tokens = fc.array(
      fc.oneof(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      ),
      {
        minLength: 1,
        maxLength: 300,
      },
    );
    await fc.assert(
      fc.asyncProperty(tokens, async (counts) => {
        const trace = traceFromRequests(
          counts.map((promptTokens, i) => ({
            arrivedAtMs: i,
            promptTokens,
            outputTokens: 1,
            originRegion: 'r',
            model: 'm',
          })),
        );
        const { promptTokens: found } = (await characterize(trace)).total;
        const sorted = counts.toSorted((a, b) => a - b);
        for (const [name, q] of [
          ['p5', 0.05],
          ['p50', 0.5],
          ['p95', 0.95],
          ['p99', 0.99],
        ] as const)
          expect(found[name]).toBe(sorted[Math.max(0, Math.ceil(q * counts.length) - 1)]);
        expect(found.max).toBe(sorted.at(-1));
      }),
    );
  });
});

describe('cutTrace', () => {
  it('ends a trace before its time is up', async () => {
    const trace = traceFromRequests(
      [0, 999, 1_000, 2_000].map((arrivedAtMs) => ({
        arrivedAtMs,
        promptTokens: 1,
        outputTokens: 1,
        originRegion: 'r',
        model: 'm',
      })),
    );
    expect(await records(cutTrace(trace, 1_000))).toHaveLength(2);
    expect(await records(cutTrace(trace, 1e9))).toHaveLength(4);
  });
});

describe('wholeLines', () => {
  it('never cuts a line', async () => {
    async function* chunks() {
      for (const text of ['a', 'b\nc', '\n', '', 'd']) yield new TextEncoder().encode(text);
    }
    const blocks: string[] = [];
    for await (const block of wholeLines(chunks(), () => expect.unreachable()))
      if (block.length > 0) blocks.push(new TextDecoder().decode(block));
    expect(blocks.join('')).toBe('ab\nc\nd');
    expect(blocks.slice(0, -1).every((block) => block.endsWith('\n'))).toBe(true);
  });
});

describe('absurd input', () => {
  const rows = (...lines: string[]) => `arrived_at_s,prompt_tokens,output_tokens,deadline_s\n${lines.join('\n')}\n`;

  it.each([
    ['-1e400,1,1,', 'column arrived_at_s: is not a time at or after the start of the trace'],
    ['1e400,1,1,', 'column arrived_at_s'],
    ['0,1e400,1,', 'column prompt_tokens'],
    ['0,1,1,1e308', 'column deadline'],
    ['0,1,1,-1e400', 'column deadline'],
    ['1e308,1,1,', 'column arrived_at_s'],
  ])('is refused with line and column, never written as NaN or Infinity: %s', async (row, message) => {
    const error = await failure(rows('0,1,1,', row).replace('0,1,1,\n', ''));
    expect(error.message).toContain(message);
  });

  it('of a gap that no fleet would sit out is refused with its line, and Unix times with what to do', async () => {
    expect(await failure(rows('0,1,1,', `${367 * 86_400},1,1,`))).toMatchObject({ line: 3, column: 'arrived_at_s' });
    expect(await read(rows('0,1,1,', `${365 * 86_400},1,1,`))).toHaveLength(2);
    const epoch = await failure(rows('1715558400,1,1,', '1715558401,1,1,'));
    expect(epoch).toMatchObject({ line: 2, column: 'arrived_at_s' });
    expect(`${epoch.message} ${epoch.hint}`).toContain('1970');
  });

  it('of one line without an end is refused, packed or not, and told by its line', async () => {
    const bomb = gzipSync(
      Buffer.concat([Buffer.from('arrived_at_s,prompt_tokens,output_tokens\n0,1,1\n'), Buffer.alloc(40 << 20, 0x31)]),
      { level: 1 },
    );
    const error = await read(bomb, 'bomb.csv.gz').then(
      () => undefined,
      (cause: unknown) => cause as TraceFormatError,
    );
    expect(error).toBeInstanceOf(TraceFormatError);
    expect(error).toMatchObject({ line: 3 });
    expect(error!.message).toContain('16 MB');
  });

  it('of an unordered trace that is put in order has the same limits', async () => {
    const far = traceFromRequests([
      { arrivedAtMs: 0, promptTokens: 1, outputTokens: 1, originRegion: 'r', model: 'm' },
      { arrivedAtMs: 367 * 86_400_000, promptTokens: 1, outputTokens: 1, originRegion: 'r', model: 'm' },
    ]);
    await expect((async () => records(await sortTrace(far)))()).rejects.toThrow(
      'a request comes 367 days after the one before it',
    );
  });
});
