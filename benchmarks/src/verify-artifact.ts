import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  type ArtifactTable,
  buildSimulation,
  createArtifactPerformanceModel,
  DEFAULT_CATALOGUE,
  openTrace,
  preset,
  simulate,
} from 'sageserve';

/** Agreement that is asked for, in seconds. */
const TOLERANCE_S = 1e-4;

interface Expected {
  readonly region: string;
  readonly ttftS: number;
  readonly e2eS: number;
}

/**
 * Replays the artifact's trace and compares every request with what the artifact reported. Returns
 * whether all agree.
 */
export async function verifyArtifact(dir: string): Promise<boolean> {
  const expected = await readExpected(join(dir, 'static.requests.csv.gz'));
  const tables = JSON.parse(await readFile(join(dir, 'performance.json'), 'utf8')) as Record<string, ArtifactTable>;
  const catalogue = {
    ...DEFAULT_CATALOGUE,
    performanceModels: { artifact: () => createArtifactPerformanceModel(tables) },
  };
  const scenario = preset('artifact-static');
  const trace = await openTrace(join(dir, 'static.trace.csv.gz'));
  const { durationMs: _, ...config } = buildSimulation(scenario, 'static', catalogue);
  let regions = 0;
  let ttft = 0;
  let e2e = 0;
  let all = 0;
  let worstS = 0;
  const misses: string[] = [];
  const result = await simulate(config, trace, {
    audit: true,
    onRequestEnd(requests, slot, outcome, endedAtMs) {
      const id = requests.requestId[slot]!;
      const want = expected.get(id);
      if (want === undefined) throw new Error(`request ${id} is not among the expected ones`);
      const arrived = requests.arrivedAtMs[slot]!;
      const region = scenario.regions[requests.servedRegion[slot]!]?.name;
      const ttftS = (requests.firstTokenAtMs[slot]! - arrived) / 1_000;
      const e2eS = (endedAtMs - arrived) / 1_000;
      // The expected figures are rounded to a microsecond.
      const sameTtft = outcome === 'completed' && Math.abs(ttftS - want.ttftS) <= TOLERANCE_S;
      const sameE2e = outcome === 'completed' && Math.abs(e2eS - want.e2eS) <= TOLERANCE_S;
      if (region === want.region) regions++;
      if (sameTtft) ttft++;
      if (sameE2e) e2e++;
      worstS = Math.max(worstS, Math.abs(ttftS - want.ttftS), Math.abs(e2eS - want.e2eS));
      if (region === want.region && sameTtft && sameE2e) all++;
      else if (misses.length < 5)
        misses.push(
          `request ${id}: ${region} ${ttftS.toFixed(6)} ${e2eS.toFixed(6)}, expected ${want.region} ` +
            `${want.ttftS} ${want.e2eS}`,
        );
    },
  });
  const total = expected.size;
  console.log(`artifact: ${dir}`);
  console.log(`  region        ${regions} of ${total}`);
  console.log(`  TTFT ± 0.1 ms ${ttft} of ${total}`);
  console.log(`  E2E  ± 0.1 ms ${e2e} of ${total}`);
  console.log(`  matched       ${all} of ${total}; largest difference ${worstS.toExponential(2)} s`);
  for (const miss of misses) console.log(`  MISS ${miss}`);
  return all === total && result.total.completed === total;
}

async function readExpected(path: string): Promise<Map<number, Expected>> {
  const rows = new Map<number, Expected>();
  const text = gunzipSync(await readFile(path)).toString('utf8');
  for (const line of text.split('\n')) {
    const [id, region, ttft, e2e] = line.split(',');
    if (id === 'request_id' || id === undefined || id === '') continue;
    rows.set(Number(id), { region: region!, ttftS: Number(ttft), e2eS: Number(e2e) });
  }
  return rows;
}
