import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { simulate } from '@sageserve/sim';
import { traceFromRequests } from '@sageserve/trace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preset } from '../presets/presets.js';
import { buildSimulation, buildTraffic } from '../build.js';
import { parseScenario } from '../parse.js';
import { demandCsv, readDemandCsv } from './demand-csv.js';
import { demandOfTrace } from './demand-of-trace.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sageserve-demand-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function fileOf(text: string, name = 'demand.csv'): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}

describe('a CSV of demand', () => {
  it('reads times with and without a zone, gaps, and rows in any order', async () => {
    const { series, unit } = await readDemandCsv(
      await fileOf(
        'start_utc,requests_per_min\n2024-05-12T00:30Z,4\n2024-05-12 ' +
          '00:00,1\n2024-05-12T00:10:00Z,2\n2024-05-12T00:40Z,\n',
        'a.csv.gz',
      ),
    );
    expect(unit).toBe('requests_per_min');
    expect(series).toHaveLength(1);
    expect(series[0]).toMatchObject({ startMs: Date.UTC(2024, 4, 12), stepMs: 600_000 });
    expect([...series[0]!.promptTokensPerS]).toEqual([1, 2, NaN, 4, NaN]);
    expect([...series[0]!.outputTokensPerS]).toEqual([0, 0, NaN, 0, NaN]);
  });

  it('reads what it writes', async () => {
    const text = `time,model,region,requests_per_s,prompt_tokens_per_s,output_tokens_per_s\n2024-05-12T00:00:00.000Z,a,west,0.5,100,20\n2024-05-12T00:10:00.000Z,a,west,,,\n2024-05-12T00:20:00.000Z,a,west,0.25,50,10\n`;
    const { series, unit } = await readDemandCsv(await fileOf(text));
    expect(unit).toBe('tokens/s');
    expect(demandCsv(series)).toBe(text);
  });

  it.each([
    ['a negative count', 'time,n\n0,1\n600,-3\n', /demand\.csv:3, column n: "-3" is not a number from 0 to/],
    ['a count in hexadecimal', 'time,n\n0,1\n600,0x10\n', /demand\.csv:3, column n: "0x10" is not a number/],
    [
      'a count beyond any fleet',
      'time,n\n0,1\n600,1e308\n',
      /demand\.csv:3, column n: "1e308" is not a number from 0 to/,
    ],
    ['a time that is none', 'time,n\n0,1\nlater,3\n', /demand\.csv:3, column time: "later" is no time/],
    [
      'an irregular step',
      'time,n\n0,1\n600,2\n900,3\n1300,4\n',
      /demand\.csv:5, column time: is no multiple of the step, 300 s/,
    ],
    ['a time twice', 'time,n\n0,1\n600,2\n600,3\n', /demand\.csv:4, column time: the time of line 3 again/],
    ['a row of another length', 'time,n\n0,1\n600\n', /demand\.csv:3: has 1 fields where the header has 2/],
    [
      'a day in another order',
      'time,n\n12-05-2024,1\n13-05-2024,2\n',
      /demand\.csv:2, column time: "12-05-2024" is no time/,
    ],
    ['microseconds', 'time,n\n1715472000000000,1\n1715472600000000,2\n', /lies beyond the year 2200/],
    ['a single row', 'time,n\n0,1\n', /a single row does not tell how long a bucket is/],
    [
      'a wrong count after a name of two lines and an empty line',
      'time,model,n\n0,"a\nb",1\n\n600,c,x\n',
      /demand\.csv:5, column n: "x" is not a number/,
    ],
    [
      'gaps of ages',
      'time,n\n0,1\n1,2\n19999990,5\n',
      /demand\.csv:4, column time: lies 19999991 buckets of 1000 ms after the first/,
    ],
    [
      'many series with long gaps',
      `time,model,n\n0,a,1\n1,a,1\n${Array.from({ length: 20 }, (_, i) => `0,m${i},1\n999999,m${i},1\n`).join('')}`,
      /more than 10,000,000 in all series/,
    ],
    [
      'a day that is none',
      'time,n\n2024-02-30T00:00Z,1\n2024-03-02T00:00Z,2\n',
      /demand\.csv:2, column time: "2024-02-30T00:00Z" is no time/,
    ],
    ['a quote without an end', 'time,n\n0,1\n600,"2\n', /demand\.csv:3: has a quote that is not closed/],
    ['no rows', 'time,n\n', /has no rows of demand/],
    ['several columns', 'time,a,b\n0,1,2\n600,2,3\n', /--column: .* has 2 columns that could be the counts/],
  ])('refuses %s, and says where', async (_, text, message) => {
    await expect(readDemandCsv(await fileOf(text))).rejects.toThrow(message);
  });

  it('gives every model the buckets of the file, also one of which little is there, and takes names that need quotes', async () => {
    const text =
      'time,model,region,requests_per_s,prompt_tokens_per_s,output_tokens_per_s\n0,"a, ""b""",x,1,1,1\n600,"a, ' +
      '""b""",x,1,1,1\n1200,c,x,1,5,1\n3000,c,x,1,6,1\n';
    const { series } = await readDemandCsv(await fileOf(text));
    expect(series.map(({ key, stepMs }) => [key.modelId, stepMs])).toEqual([
      ['a, "b"', 600_000],
      ['c', 600_000],
    ]);
    expect([...series[1]!.promptTokensPerS]).toEqual([5, NaN, NaN, 6]);
    expect((await readDemandCsv(await fileOf(demandCsv(series)))).series.map(({ key }) => key.modelId)).toEqual([
      'a, "b"',
      'c',
    ]);
  });

  it('tells names apart by all that they are, and passes over empty lines', async () => {
    const text = '\n\n"time","model","region","n"\n0,"a\nb",c,1\n0,a,"b\nc",2\n\n600,"a\nb",c,3\n600,a,"b\nc",4\n\n';
    const { series } = await readDemandCsv(await fileOf(text));
    expect(series.map(({ key, promptTokensPerS }) => [key.modelId, key.regionId, ...promptTokensPerS])).toEqual([
      ['a\nb', 'c', 1, 3],
      ['a', 'b\nc', 2, 4],
    ]);
  });

  it('takes the column that is named', async () => {
    const file = await fileOf('time,a,b\n0,1,2\n600,2,3\n');
    expect([...(await readDemandCsv(file, 'b')).series[0]!.promptTokensPerS]).toEqual([2, 3]);
    await expect(readDemandCsv(file, 'c')).rejects.toThrow(/--column: .* has no column "c"/);
    await expect(readDemandCsv(join(dir, 'none.csv'))).rejects.toThrow(/--counts: can't read .*none\.csv/);
  });
});

describe('demand of traffic', () => {
  it('of many models over a long time is refused before it is held, with what to do', async () => {
    const requests = Array.from({ length: 40 }, (_, i) => ({
      arrivedAtMs: i * 1e10,
      promptTokens: 1,
      outputTokens: 1,
      originRegion: 'r',
      model: `m${i}`,
    }));
    await expect(demandOfTrace(traceFromRequests(requests), 'long.csv', { stepMs: 600_000 })).rejects.toThrow(
      /--step: long\.csv has \d+ series over \d+ buckets of 600 s: more than 10,000,000 in all/,
    );
    expect((await demandOfTrace(traceFromRequests(requests), 'long.csv', { stepMs: 86_400_000 })).series).toHaveLength(
      40,
    );
  });

  const scenario = parseScenario({
    ...preset('small'),
    duration: '1h',
    traffic: { ...preset('small').traffic, requestsPerDay: 50_000 },
  });

  it('counts every interactive token of a trace, by model and region', async () => {
    const { series, requests, leftOut } = await demandOfTrace(await buildTraffic(scenario), 'small', {
      stepMs: 60_000,
    });
    let prompt = 0;
    let interactive = 0;
    let later = 0;
    const trace = await buildTraffic(scenario);
    for await (const batch of trace.batches()) {
      for (let i = 0; i < batch.length; i++) {
        if (batch.tier[i] === 2) later++;
        else {
          interactive++;
          if (batch.arrivedAtMs[i]! < 59 * 60_000) prompt += batch.promptTokens[i]!;
        }
      }
    }
    expect({ requests, leftOut }).toEqual({ requests: interactive, leftOut: later });
    expect(series).toHaveLength(6);
    expect(60 * series.reduce((sum, s) => sum + s.promptTokensPerS.reduce((a, b) => a + b, 0), 0)).toBeCloseTo(
      prompt,
      3,
    );
  });

  it('is recorded by the simulator as it is counted in the trace', async () => {
    const counted = await demandOfTrace(await buildTraffic(scenario), 'small', { stepMs: 600_000 });
    const recorded: string[] = [];
    const result = await simulate(buildSimulation(scenario, 'static'), await buildTraffic(scenario), {
      onDemand(demand) {
        recorded.push(...demand.map(({ key }) => `${key.modelId}/${key.regionId}`));
        expect(demand).toHaveLength(6);
        for (const series of demand) {
          const want = counted.series.find(
            ({ key }) => key.modelId === series.key.modelId && key.regionId === series.key.regionId,
          )!;
          expect(series.startMs).toBe(want.startMs);
          expect(series.promptTokensPerS).toHaveLength(6);
          for (const [t, rate] of want.promptTokensPerS.entries())
            expect(series.promptTokensPerS[t]).toBeCloseTo(rate, 6);
          // Output tokens are known when a request ends, a little later than it came.
          const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
          expect(sum(series.outputTokensPerS)).toBeGreaterThan(0);
          expect(sum(series.outputTokensPerS.subarray(0, 5))).toBeLessThan(1.02 * sum(want.outputTokensPerS));
        }
      },
    });
    expect(result.total.arrived).toBeGreaterThan(1_000);
    expect(recorded).toHaveLength(6);
  });
});
