import {
  DEFAULT_ACQUISITION,
  DEFAULT_CADENCES,
  DEFAULT_DEMAND_QUANTILE,
  DEFAULT_LOCAL_SHARE,
  DEFAULT_NETWORK_RTT_MS,
  WORKLOAD_TIERS,
} from '@sageserve/core';
import { PLACEMENT_SOLVERS } from '@sageserve/optimize';
import { z } from 'zod';
import { durationText } from './duration.js';
import {
  cadence,
  count,
  duration,
  filePath,
  instances,
  plainName,
  policy,
  shortDuration,
  tokens,
  usd,
} from './fields.js';

/** Fields of a region that a scenario has too. */
export const regionFields = {
  name: plainName,
  gpus: z.record(plainName, count).describe('GPUs by SKU.'),
};

/** Regions, whatever else each has. */
export const regionsOf = <S extends z.ZodType>(region: S): z.ZodArray<S> => z.array(region).min(1).max(500);

/** Fields of a model that a scenario has too. */
export const modelFields = {
  name: plainName,
  deployments: z
    .array(
      z.strictObject({
        sku: plainName,
        gpusPerInstance: z.number().int().min(1).max(100_000),
        initialInstances: instances.optional().describe('maxInstances where it is not given.'),
        initialSpotInstances: instances
          .optional()
          .describe('Instances that are donated as spot at the start and hold the weights; 0 where it is not given.'),
        maxBatchTokens: tokens
          .optional()
          .describe(
            "Tokens that one iteration of an instance takes, vLLM's max_num_batched_tokens; what its GPUs manage in " +
              '150 ms where it is not given.',
          ),
        minInstances: instances.default(2),
        maxInstances: instances.default(20),
      }),
    )
    .min(1)
    .max(200),
  regions: z.array(plainName).max(500).optional().describe('Regions that host it; all of them where it is not given.'),
};

/** Models, whatever else each has. */
export const modelsOf = <S extends z.ZodType>(model: S): z.ZodArray<S> => z.array(model).min(1).max(1_000);

/** Fields of a fleet that a scenario has too, but for its regions and models. */
export const fleetFields = {
  $schema: z.string().optional(),
  description: z.string().max(10_000).optional(),
  seed: z.union([z.number().int(), z.string().max(1_000)]).default(1),
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
        name: plainName,
        usdPerGpuHour: usd.default(0),
        usdPerSpotGpuHour: usd
          .optional()
          .describe('What a GPU that is donated as spot earns in an hour; nothing where it is not given.'),
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
  performance: policy.default('auto'),
  regionRouter: policy.default('utilization'),
  instanceRouter: policy.default('least-outstanding-tokens'),
  batchScheduler: policy.default('pf'),
  release: policy.default('utilization'),
  overflow: policy
    .default('utilization')
    .describe('Whether a request goes to the second pool of its region that serves its tier.'),
  victim: policy.default('least-work-lost').describe('Which instance goes when an endpoint is scaled in.'),
  acquisition: policy
    .default('cheapest-first')
    .describe('In which way an endpoint has one more instance when it is scaled out.'),
  strategies: z.array(policy).min(1).max(200).default(['reactive']),
  scalingInterval: cadence
    .default(durationText(DEFAULT_CADENCES.reactMs))
    .describe('How often the strategy is asked between plans, and releases of held work are looked at.'),
  placement: z
    .strictObject({
      localShare: z
        .number()
        .min(0)
        .max(1)
        .default(DEFAULT_LOCAL_SHARE)
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
        .default(DEFAULT_DEMAND_QUANTILE)
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
        .record(plainName, z.array(plainName).min(1))
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
  control: z
    .strictObject({
      forecaster: policy.default('auto'),
      solver: z.enum(PLACEMENT_SOLVERS).default('heuristic'),
      planEvery: shortDuration
        .default(durationText(DEFAULT_CADENCES.planMs))
        .describe('How often demand is forecast and a plan made.'),
      horizon: shortDuration.default(durationText(DEFAULT_CADENCES.horizonMs)).describe('How far a forecast reaches.'),
    })
    .prefault({}),
  plugins: z
    .array(filePath)
    .max(100)
    .default([])
    .describe('Modules with policies of your own, relative to this file; each exports a catalogue by default.'),
  objectives: z
    .partialRecord(
      z.enum(WORKLOAD_TIERS),
      z.strictObject({
        ttft: duration.optional().describe('Longest time to the first token.'),
        tbt: duration.optional().describe('Longest mean time between the tokens of a request.'),
        tbtP95: duration.optional().describe('Longest time that 95 % of those between its tokens take.'),
        e2e: duration.optional().describe('Longest time to the last token.'),
        attainmentTarget: z.number().min(0).max(1).optional(),
        deadline: duration.optional(),
      }),
    )
    .default({}),
  maxOutputTokens: tokens.default(4_096).describe('Output limit shown to policies; the true length is never shown.'),
};

/**
 * The fleet file, as the user writes it: a fleet and the policies that run it. Every field but
 * regions, skus and models has a default.
 */
export const fleetSchema = z
  .strictObject({
    ...fleetFields,
    name: plainName.default('fleet'),
    regions: regionsOf(z.strictObject(regionFields)),
    models: modelsOf(z.strictObject(modelFields)),
  })
  .describe('A SageServe fleet, and the policies that run it.');

/** A fleet as a user writes it. */
export type FleetInput = z.input<typeof fleetSchema>;
/** A fleet with every default filled in. */
export type Fleet = z.output<typeof fleetSchema>;

/** The JSON Schema of fleet files, for editors. */
export function fleetJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(fleetSchema, { io: 'input' }),
    $id: 'https://sageserve.dev/fleet.schema.json',
    title: 'SageServe fleet',
  };
}
