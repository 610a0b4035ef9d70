import { DEFAULT_ACQUISITION, DEFAULT_NETWORK_RTT_MS, WORKLOAD_TIERS } from '@sageserve/core';
import { PLACEMENT_SOLVERS } from '@sageserve/optimize';
import { z } from 'zod';

/** No run, delay or history is longer. */
const MOST_DAYS = 3_650;
const MOST_PLANNED_DAYS = 30;
/** Columns hold tokens as 32-bit integers. */
const MOST_TOKENS = 0x7fffffff;
/**
 * Without control characters, characters that turn the direction of text, and halves of characters.
 */
const PLAIN = /^[^\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]*$/u;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * `90s`, `15m`, `24h`, `7d` or a number of seconds, as milliseconds; undefined where it is not one.
 */
export function parseDurationMs(value: string | number): number | undefined {
  if (typeof value === 'number') return value >= 0 ? value * 1_000 : undefined;
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*$/.exec(value);
  return match === null ? undefined : Number(match[1]) * UNIT_MS[match[2]!]!;
}

/** Milliseconds as a user writes them, in the largest unit of which they are a whole number. */
function durationText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, one]) => ms % one === 0)!;
  return `${ms / unitMs}${unit}`;
}

const duration = z
  .union([
    z.string().regex(/^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*$/, 'must be a duration such as 90s, 15m, 24h or 7d'),
    z.number().min(0),
  ])
  .refine((value) => parseDurationMs(value)! <= MOST_DAYS * UNIT_MS['d']!, `must be at most ${MOST_DAYS}d`)
  .describe('A duration such as 90s, 15m, 24h or 7d, or a number of seconds.');
const positiveDuration = duration.refine((value) => parseDurationMs(value)! > 0, 'must be longer than 0');
/** How often something happens. */
const cadence = duration.refine((value) => parseDurationMs(value)! >= 1, 'must be 1ms or more');
/** The same, no longer than forecasts and plans make sense for. */
const shortDuration = cadence.refine(
  (value) => parseDurationMs(value)! <= MOST_PLANNED_DAYS * UNIT_MS['d']!,
  `must be at most ${MOST_PLANNED_DAYS}d`,
);
const share = z.number().min(0).max(1e9);
const count = z.number().int().min(0).max(1_000_000_000);
const usd = z.number().min(0).max(1e9);
/** Names stand in files, on terminals and in the ids of endpoints. */
export const plainName = z.string().min(1).max(200).regex(PLAIN, 'must not have control characters');
const name = plainName;
const path = z.string().min(1).max(4_096).regex(PLAIN, 'must not have control characters');
/** Instances of an endpoint: each has a place in tables that are made before a run. */
const instances = z.number().int().min(0).max(50_000);
const policy = z
  .union([name, z.looseObject({ name })])
  .describe('A name, or a table with a name and the options of the policy.');
const quantiles = z
  .array(z.tuple([z.number().min(0).max(1), z.number().min(1).max(MOST_TOKENS)]))
  .min(1)
  .max(10_000)
  .describe('Quantiles as [level, tokens], both rising.');
const tierShares = z.partialRecord(z.enum(WORKLOAD_TIERS), share);

/**
 * The scenario file, as the user writes it. Every field but regions, skus and models has a default.
 */
export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name: name.default('scenario'),
    description: z.string().max(10_000).optional(),
    seed: z.union([z.number().int(), z.string().max(1_000)]).default(1),
    duration: positiveDuration
      .optional()
      .describe('Length of the run; needed for generated traffic. A trace is cut there.'),
    traffic: z
      .strictObject({
        requestsPerDay: z
          .number()
          .positive()
          .max(1e10)
          .optional()
          .describe('Generated traffic: mean over a whole week.'),
        startHourOfWeek: z
          .number()
          .min(0)
          .max(168)
          .default(24)
          .describe('Hours after Sunday 00:00 UTC at which the run starts; 24 is Monday.'),
        tiers: tierShares.default({ 'interactive-fast': 0.36, 'interactive-normal': 0.36, 'non-interactive': 0.28 }),
        shape: z
          .union([z.enum(['azure-2024', 'flat']), z.array(share).length(168)])
          .default('azure-2024')
          .describe(
            'Rate by hour of the week from Sunday 00:00 UTC: that of the Azure 2024 week, none, or 168 values of ' +
              'your own.',
          ),
        warmup: duration
          .default(0)
          .describe('How long generated traffic has gone on before the run, where it continues an earlier one.'),
        rateNoise: z.number().min(0).max(10).optional(),
        burst: z
          .strictObject({ every: positiveDuration, length: positiveDuration, factor: z.number().min(0).max(10_000) })
          .optional(),
        promptTokens: quantiles.optional(),
        outputTokens: quantiles.optional(),
        trace: path.optional().describe('A trace file to replay instead, relative to the scenario file.'),
        format: name.optional().describe('Its format, where it cannot be found out.'),
        rename: z
          .strictObject({ region: z.record(name, name).optional(), model: z.record(name, name).optional() })
          .optional()
          .describe('Names of the trace → names of the scenario; * stands for every other.'),
      })
      .prefault({}),
    regions: z
      .array(
        z.strictObject({
          name,
          share: share.default(1).describe('Share of the traffic that comes from here.'),
          phaseHours: z
            .number()
            .min(-168)
            .max(168)
            .default(0)
            .describe('How much later than the reference the day begins.'),
          gpus: z.record(name, count).describe('GPUs by SKU.'),
        }),
      )
      .min(1)
      .max(500),
    networkRttMs: z
      .array(z.array(z.number().min(0).max(3_600_000)).max(500))
      .max(500)
      .optional()
      .describe(
        `Round trips between regions, [from][to]; ${DEFAULT_NETWORK_RTT_MS} ms between any two where it is not given.`,
      ),
    skus: z
      .array(
        z.strictObject({
          name,
          usdPerGpuHour: usd.default(0),
          reclaim: duration
            .default(durationText(DEFAULT_ACQUISITION.reclaimMs))
            .describe('Reclaiming a donated instance of the same model.'),
          redeploy: duration
            .default(durationText(DEFAULT_ACQUISITION.redeployMs))
            .describe('Redeploying a donated instance of another model.'),
          newVm: duration.default(durationText(DEFAULT_ACQUISITION.newVmMs)).describe('A new VM.'),
        }),
      )
      .min(1)
      .max(200),
    models: z
      .array(
        z.strictObject({
          name,
          share: share.default(1).describe('Share of the traffic that asks for it.'),
          shape: z
            .array(share)
            .length(168)
            .optional()
            .describe('Rate by hour of the week of this model; that of the traffic where it is not given.'),
          promptTokens: quantiles.optional(),
          outputTokens: quantiles.optional(),
          deployments: z
            .array(
              z.strictObject({
                sku: name,
                gpusPerInstance: z.number().int().min(1).max(100_000),
                initialInstances: instances.optional().describe('maxInstances where it is not given.'),
                initialSpotInstances: instances
                  .optional()
                  .describe(
                    'Instances that are donated as spot at the start and hold the weights; 0 where it is not given.',
                  ),
                minInstances: instances.default(2),
                maxInstances: instances.default(20),
              }),
            )
            .min(1)
            .max(200),
          regions: z
            .array(name)
            .max(500)
            .optional()
            .describe('Regions that host it; all of them where it is not given.'),
        }),
      )
      .min(1)
      .max(1_000),
    performance: policy.default('auto'),
    regionRouter: policy.default('utilization'),
    instanceRouter: policy.default('least-outstanding-tokens'),
    batchScheduler: policy.default('pf'),
    release: policy.default('utilization'),
    strategies: z.array(policy).min(1).max(200).default(['reactive']),
    scalingInterval: cadence
      .default('1s')
      .describe('How often the strategy is asked between plans, and releases of held work are looked at.'),
    endpointDelay: duration.default(0).describe("Time from the region's front door to an instance."),
    engine: z
      .strictObject({
        maxBatchRequests: z.number().int().min(1).max(100_000).optional(),
        maxBatchTokens: z.number().int().min(1).max(MOST_TOKENS).optional().describe('8,192 where it is not given.'),
        unlimitedBatchTokens: z.boolean().optional(),
        chunkedPrefill: z.boolean().optional(),
        kvAllocation: z.enum(['growth', 'reserve']).optional(),
        kvWatermark: z.number().min(0).max(1).optional(),
      })
      .default({}),
    placement: z
      .strictObject({
        localShare: z
          .number()
          .min(0)
          .max(1)
          .default(0.8)
          .describe("Share of a region's own peak that must be servable in it."),
        targetUtilization: z
          .number()
          .gt(0)
          .max(1)
          .default(0.7)
          .describe('Share of its full throughput that an instance is planned to carry.'),
        demandQuantile: z
          .number()
          .gt(0)
          .lt(1)
          .default(0.9)
          .describe('Quantile of the forecast that capacity must carry.'),
        demandBudget: z
          .number()
          .min(1)
          .max(500)
          .optional()
          .describe(
            'How many regions of a model are at that quantile at once, the others at their mean; all where it is ' +
              'not given.',
          ),
        hysteresisUsd: usd.default(0).describe('A price on every instance that is started or released.'),
        distanceUsdPerMillionTokens: usd.default(0.01).describe('Serving a million tokens in a region 100 ms away.'),
        residency: z
          .record(name, z.array(name).min(1))
          .default({})
          .describe('Region → regions that may serve its traffic; any where it is not given.'),
        nonInteractiveBuffer: z
          .number()
          .min(0)
          .max(1_000)
          .default(0.1)
          .describe("Share of the last hour's non-interactive tokens to be served within the next."),
      })
      .prefault({}),
    history: duration
      .default(0)
      .describe(
        'Demand of this long before the run is known to forecasters. Of a trace, its first part serves as that, ' +
          'and is not run.',
      ),
    control: z
      .strictObject({
        forecaster: policy.default('auto'),
        solver: z.enum(PLACEMENT_SOLVERS).default('heuristic'),
        planEvery: shortDuration.default('1h').describe('How often demand is forecast and a plan made.'),
        horizon: shortDuration.default('2h').describe('How far a forecast reaches.'),
      })
      .prefault({}),
    incidents: z
      .array(
        z.discriminatedUnion('kind', [
          z.strictObject({ kind: z.literal('region-outage'), at: duration, duration: positiveDuration, region: name }),
          z.strictObject({ kind: z.literal('telemetry-outage'), at: duration, duration: positiveDuration }),
          z.strictObject({
            kind: z.literal('eviction'),
            at: duration,
            region: name,
            sku: name,
            instances: z.number().int().min(1).max(1_000_000),
            target: z.enum(['on-demand', 'spot']).default('on-demand'),
            notice: duration.default('30s').describe('From the notice to the loss of the host.'),
          }),
        ]),
      )
      .max(10_000)
      .default([])
      .describe('What goes wrong: outages of regions and of telemetry, hosts that the cloud takes back.'),
    plugins: z
      .array(path)
      .max(100)
      .default([])
      .describe(
        'Modules with policies of your own, relative to the scenario file; each exports a catalogue by default.',
      ),
    objectives: z
      .partialRecord(
        z.enum(WORKLOAD_TIERS),
        z.strictObject({
          ttft: duration.optional(),
          attainmentTarget: z.number().min(0).max(1).optional(),
          deadline: duration.optional(),
        }),
      )
      .default({}),
    maxOutputTokens: z
      .number()
      .int()
      .min(1)
      .max(MOST_TOKENS)
      .default(4_096)
      .describe('Output limit shown to policies; the true length is never shown.'),
  })
  .describe('A SageServe scenario: a fleet, its traffic, and the policies that run it.');

/** A scenario as a user writes it. */
export type ScenarioInput = z.input<typeof scenarioSchema>;
/** A scenario with every default filled in. */
export type Scenario = z.output<typeof scenarioSchema>;

/** The JSON Schema of scenario files, for editors. */
export function scenarioJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(scenarioSchema, { io: 'input' }),
    $id: 'https://sageserve.dev/scenario.schema.json',
    title: 'SageServe scenario',
  };
}
