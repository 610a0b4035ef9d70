import { WORKLOAD_TIERS } from '@sageserve/core';
import { ENGINE_NAMES } from '@sageserve/sim';
import { z } from 'zod';
import {
  duration,
  filePath,
  fleetFields,
  modelFields,
  modelsOf,
  MOST_TOKENS,
  parseDurationMs,
  plainName,
  positiveDuration,
  regionFields,
  regionsOf,
  share,
  tokens,
} from '@sageserve/fleet';

const quantiles = z
  .array(z.tuple([z.number().min(0).max(1), z.number().min(1).max(MOST_TOKENS)]))
  .min(1)
  .max(10_000)
  .describe('Quantiles as [level, tokens], both rising.');
const tierShares = z.partialRecord(z.enum(WORKLOAD_TIERS), share);

/** What says how traffic is generated, and nothing of a trace. */
const OF_GENERATED = ['requestsPerDay', 'rateNoise', 'burst', 'levels'] as const;

/**
 * The scenario file, as the user writes it: a fleet, its traffic, and what goes wrong. Every field
 * but regions, skus and models has a default.
 */
export const scenarioSchema = z
  .strictObject({
    $schema: fleetFields.$schema,
    name: plainName.default('scenario'),
    description: fleetFields.description,
    seed: fleetFields.seed,
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
          .strictObject({
            every: positiveDuration,
            offset: duration.optional().describe('How much later than that each begins; at once where not given.'),
            length: positiveDuration,
            factor: z.number().min(0).max(10_000),
          })
          .superRefine(({ every, offset = 0, length }, ctx) => {
            const [everyMs, offsetMs, lengthMs] = [every, offset, length].map((given) => parseDurationMs(given)!);
            if (offsetMs! > 0 && offsetMs! + lengthMs! > everyMs!)
              ctx.addIssue({
                code: 'custom',
                path: ['offset'],
                message: `Leaves a burst of ${length} no room before the next, which comes every ${every}`,
              });
          })
          .optional(),
        levels: z
          .array(z.strictObject({ at: duration, factor: z.number().min(0).max(10_000) }))
          .max(10_000)
          .superRefine((levels, ctx) => {
            for (const [i, { at }] of levels.entries())
              if (i > 0 && !(parseDurationMs(at)! > parseDurationMs(levels[i - 1]!.at)!))
                ctx.addIssue({
                  code: 'custom',
                  path: [i, 'at'],
                  message: `Must be after the level before it, at ${levels[i - 1]!.at}`,
                });
          })
          .optional()
          .describe(
            'Lasting changes: from each time of the run on, the rate of generated traffic is multiplied by its ' +
              'factor. History has none.',
          ),
        promptTokens: quantiles.optional(),
        outputTokens: quantiles.optional(),
        trace: filePath.optional().describe('A trace file to replay instead, relative to the scenario file.'),
        format: plainName.optional().describe('Its format, where it cannot be found out.'),
        rename: z
          .strictObject({
            region: z.record(plainName, plainName).optional(),
            model: z.record(plainName, plainName).optional(),
          })
          .optional()
          .describe('Names of the trace → names of the scenario; * stands for every other.'),
      })
      .superRefine((traffic, ctx) => {
        if (traffic.trace === undefined) return;
        for (const field of OF_GENERATED)
          if (traffic[field] !== undefined)
            ctx.addIssue({
              code: 'custom',
              path: [field],
              message: 'Is of generated traffic, and this replays a trace: leave one of the two out',
            });
      })
      .prefault({}),
    regions: regionsOf(
      z.strictObject({
        name: regionFields.name,
        share: share.default(1).describe('Share of the traffic that comes from here.'),
        phaseHours: z
          .number()
          .min(-168)
          .max(168)
          .default(0)
          .describe('How much later than the reference the day begins.'),
        gpus: regionFields.gpus,
      }),
    ),
    networkRttMs: fleetFields.networkRttMs,
    skus: fleetFields.skus,
    models: modelsOf(
      z.strictObject({
        name: modelFields.name,
        share: share.default(1).describe('Share of the traffic that asks for it.'),
        shape: z
          .array(share)
          .length(168)
          .optional()
          .describe('Rate by hour of the week of this model; that of the traffic where it is not given.'),
        promptTokens: quantiles.optional(),
        outputTokens: quantiles.optional(),
        deployments: modelFields.deployments,
        regions: modelFields.regions,
      }),
    ),
    performance: fleetFields.performance,
    regionRouter: fleetFields.regionRouter,
    instanceRouter: fleetFields.instanceRouter,
    batchScheduler: fleetFields.batchScheduler,
    release: fleetFields.release,
    overflow: fleetFields.overflow,
    victim: fleetFields.victim,
    acquisition: fleetFields.acquisition,
    strategies: fleetFields.strategies,
    scalingInterval: fleetFields.scalingInterval,
    endpointDelay: duration.default(0).describe("Time from the region's front door to an instance."),
    engine: z
      .strictObject({
        like: z
          .enum(ENGINE_NAMES)
          .optional()
          .describe(
            'vllm-v1: prompts in chunks, where it is not given; paper: whole prompts; artifact: as the published ' +
              'code of the paper.',
          ),
        maxBatchRequests: z.number().int().min(1).max(100_000).optional(),
        maxBatchTokens: tokens
          .optional()
          .describe('Tokens of an iteration; by model and SKU, from chunkMs, where it is not given.'),
        unlimitedBatchTokens: z.boolean().optional(),
        chunkedPrefill: z.boolean().optional(),
        chunkMs: z
          .number()
          .gt(0)
          .max(60_000)
          .optional()
          .describe('How long an iteration of prompt tokens alone may last (ms): 150 where it is not given.'),
        kvAllocation: z.enum(['growth', 'reserve']).optional(),
        kvWatermark: z.number().min(0).max(1).optional(),
        keepsPutBack: z.boolean().optional(),
      })
      .default({}),
    placement: fleetFields.placement,
    history: duration
      .default(0)
      .describe(
        'Demand of this long before the run is known to forecasters. Of a trace, its first part serves as that, ' +
          'and is not run.',
      ),
    control: fleetFields.control,
    incidents: z
      .array(
        z.discriminatedUnion('kind', [
          z.strictObject({
            kind: z.literal('region-outage'),
            at: duration,
            duration: positiveDuration,
            region: plainName,
          }),
          z.strictObject({ kind: z.literal('telemetry-outage'), at: duration, duration: positiveDuration }),
          z.strictObject({
            kind: z.literal('eviction'),
            at: duration,
            region: plainName,
            sku: plainName,
            instances: z.number().int().min(1).max(1_000_000),
            target: z.enum(['on-demand', 'spot']).default('on-demand'),
            notice: duration.default('30s').describe('From the notice to the loss of the host.'),
          }),
        ]),
      )
      .max(10_000)
      .default([])
      .describe('What goes wrong: outages of regions and of telemetry, hosts that the cloud takes back.'),
    plugins: fleetFields.plugins,
    objectives: fleetFields.objectives,
    maxOutputTokens: fleetFields.maxOutputTokens,
  })
  .describe('A SageServe scenario: a fleet, its traffic, and the policies that run it.');

/** A scenario as a user writes it. */
export type ScenarioInput = z.input<typeof scenarioSchema>;
/** A scenario with every default filled in. */
export type Scenario = z.output<typeof scenarioSchema>;

/** Traffic with a trace in place of what was generated. */
export function replaying(traffic: Scenario['traffic'], trace: string): Scenario['traffic'] {
  const { requestsPerDay: _r, rateNoise: _n, burst: _b, levels: _l, ...rest } = traffic;
  return { ...rest, trace };
}

/** The JSON Schema of scenario files, for editors. */
export function scenarioJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(scenarioSchema, { io: 'input' }),
    $id: 'https://sageserve.dev/scenario.schema.json',
    title: 'SageServe scenario',
  };
}
