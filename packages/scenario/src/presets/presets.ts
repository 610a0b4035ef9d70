import { UnknownPolicyError } from '@sageserve/core';
import { parseScenario } from '../parse.js';
import type { Scenario, ScenarioInput } from '../schema.js';
import { SERVEGEN_LARGE, SERVEGEN_SMALL } from './servegen.js';

/**
 * Prompt and output tokens of Azure's 2023 conversation trace (CC-BY-4.0), from which the paper's
 * artifact draws its tokens.
 */
const PROMPT_2023: [number, number][] = [
  [0.01, 29],
  [0.05, 181],
  [0.1, 207],
  [0.25, 396],
  [0.4, 703],
  [0.5, 1020],
  [0.6, 1071],
  [0.75, 1189],
  [0.9, 2735],
  [0.95, 4083],
  [0.99, 4142],
];
const OUTPUT_2023: [number, number][] = [
  [0.01, 16],
  [0.05, 41],
  [0.1, 54],
  [0.25, 85],
  [0.4, 103],
  [0.5, 129],
  [0.6, 177],
  [0.75, 395],
  [0.9, 424],
  [0.95, 451],
  [0.99, 601],
];

/**
 * Azure list prices of eight-GPU VMs in the United States by the GPU-hour: ND96isr H100 v5 98.32
 * $/h (the paper's α), ND96amsr A100 v4 32.77 $/h.
 */
const SKUS = [
  { name: 'h100-80gb', usdPerGpuHour: 12.29 },
  { name: 'a100-80gb', usdPerGpuHour: 4.1 },
];

const GPUS_PER_REGION = { 'h100-80gb': 20 * 8 + 20 * 4, 'a100-80gb': 20 + 20 };

/**
 * Three regions whose days begin an hour or two apart and whose traffic differs several-fold, as in
 * the paper.
 */
const REGIONS = [
  { name: 'eastus', share: 0.5, phaseHours: 0, gpus: GPUS_PER_REGION },
  { name: 'centralus', share: 0.15, phaseHours: 1, gpus: GPUS_PER_REGION },
  { name: 'westus', share: 0.35, phaseHours: 3, gpus: GPUS_PER_REGION },
];

/** Round trips between Azure's East, Central and West US, rounded. */
const RTT_MS = [
  [0, 30, 66],
  [30, 0, 40],
  [66, 40, 0],
];

/**
 * Of up to 20 instances in a region six serve when a run begins, and the others are donated as spot
 * with the weights that they hold.
 */
const WARM = { initialInstances: 6, initialSpotInstances: 14 };

/**
 * The four models of the paper: the large ones on as many H100 as hold them with room for KV memory
 * (TTFT of a second leaves no time for their longest prompts on A100), the small ones on one A100
 * each. The paper gives no shares: these bring the largest endpoint to about 12 of its 20 instances
 * at the week's peak.
 */
const MODELS = [
  { name: 'bloom-176b', share: 0.3, deployments: [{ sku: 'h100-80gb', gpusPerInstance: 8, ...WARM }] },
  { name: 'llama-2-70b', share: 0.4, deployments: [{ sku: 'h100-80gb', gpusPerInstance: 4, ...WARM }] },
  { name: 'llama-3.1-8b', share: 0.2, deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, ...WARM }] },
  { name: 'llama-3.2-3b', share: 0.1, deployments: [{ sku: 'a100-80gb', gpusPerInstance: 1, ...WARM }] },
];

const STRATEGIES = ['siloed', 'reactive', 'lt-i', 'lt-u', 'lt-ua', 'chiron', 'oracle', 'sage'];

/**
 * The paper has objectives on the first token and on deadlines only. Between tokens: 200 ms in the
 * mean, as fast as people read and what MLPerf Inference asks of a server of Llama-2-70B; and of
 * those who wait for each, no more than a twentieth of the tokens twice as late.
 */
const OBJECTIVES: NonNullable<ScenarioInput['objectives']> = {
  'interactive-fast': { tbt: '200ms', tbtP95: '400ms' },
  'interactive-normal': { tbt: '200ms' },
};

const PAPER: ScenarioInput = {
  description:
    'Three regions and four models on up to 240 instances; ten million requests on a mean day, 72 % interactive; ' +
    'shape of the Azure 2024 week, tokens of 2023; three days of history.',
  duration: '24h',
  history: '3d',
  traffic: { requestsPerDay: 10_000_000, promptTokens: PROMPT_2023, outputTokens: OUTPUT_2023 },
  regions: REGIONS,
  networkRttMs: RTT_MS,
  skus: SKUS,
  models: MODELS,
  objectives: OBJECTIVES,
  // The same for all strategies but those that are about it: what the measured memory allows.
  regionRouter: { name: 'utilization', kvFactor: 1.3 },
  release: { name: 'headroom', kvFactor: 1 },
  strategies: STRATEGIES,
};

const PRESETS: Readonly<Record<string, ScenarioInput>> = {
  small: {
    ...PAPER,
    name: 'small',
    description:
      'Two models in three regions for six hours of a weekday, a million requests: a first look in a few seconds.',
    duration: '6h',
    history: '2d',
    traffic: { ...PAPER.traffic, requestsPerDay: 3_000_000, startHourOfWeek: 34 },
    regions: REGIONS.map((r) => ({ ...r, gpus: { 'h100-80gb': 24, 'a100-80gb': 12 } })),
    strategies: ['siloed', 'reactive'],
    models: [
      {
        name: 'llama-2-70b',
        share: 0.5,
        deployments: [{ sku: 'h100-80gb', gpusPerInstance: 4, initialInstances: 6, maxInstances: 6 }],
      },
      {
        name: 'llama-3.1-8b',
        share: 0.5,
        deployments: [{ sku: 'a100-80gb', gpusPerInstance: 2, initialInstances: 6, maxInstances: 6 }],
      },
    ],
  },
  'paper-day': { ...PAPER, name: 'paper-day' },
  'paper-week': {
    ...PAPER,
    name: 'paper-week',
    description: 'The week of which paper-day is the Monday: seventy million requests.',
    duration: '7d',
  },
  burst: {
    ...PAPER,
    name: 'burst',
    description:
      "The paper's burst test: paper-day at four million requests, in which the first minute of each hour brings " +
      'nine times the traffic.',
    traffic: { ...PAPER.traffic, requestsPerDay: 4_000_000, burst: { every: '1h', length: '1m', factor: 9 } },
  },
  'azure-week': {
    ...PAPER,
    name: 'azure-week',
    description:
      'The Azure 2024 conversation week: its 27.3 million requests, hour by hour, and its tokens, as one service ' +
      'of Llama-2-70B whose requests come from three regions at once; what the source does not say, tiers and ' +
      'regions, is as in paper-week.',
    duration: '7d',
    traffic: { requestsPerDay: 3_900_000, startHourOfWeek: 0, rateNoise: 0.1 },
    regions: REGIONS.map((r) => ({ ...r, phaseHours: 0 })),
    models: MODELS.filter(({ name }) => name === 'llama-2-70b'),
  },
  servegen: {
    ...PAPER,
    name: 'servegen',
    description:
      'Two production models of ServeGen, at a quarter of their rates, on a Tuesday: rate by hour and tokens of ' +
      'each; m-large as Llama-2-70B, m-small as Llama-3.1-8B; tiers and regions, which the source does not give, ' +
      'as in paper-week.',
    traffic: { requestsPerDay: 29_600_000, startHourOfWeek: 48, rateNoise: 0.2 },
    models: [
      { ...MODELS[1]!, share: 0.143, ...SERVEGEN_LARGE },
      { ...MODELS[2]!, share: 0.857, ...SERVEGEN_SMALL },
    ],
  },
  heterogeneous: {
    ...PAPER,
    name: 'heterogeneous',
    description:
      'paper-day where the large models also run on A100, at a third of the price and less than half of the speed.',
    regions: REGIONS.map((r) => ({ ...r, gpus: { 'h100-80gb': 20 * 8 + 20 * 4, 'a100-80gb': 20 * 8 + 20 * 8 + 40 } })),
    models: MODELS.map((model) => {
      const [first] = model.deployments;
      if (first!.sku !== 'h100-80gb') return model;
      const h100 = { ...first!, initialInstances: 3, initialSpotInstances: 17, minInstances: 1 };
      return { ...model, deployments: [h100, { ...h100, sku: 'a100-80gb', gpusPerInstance: 8 }] };
    }),
  },
  outage: {
    ...PAPER,
    name: 'outage',
    description:
      'paper-day with everything that goes wrong: telemetry down for half an hour at 9:00, central US gone from ' +
      '14:00 to 16:00, eight donated and four serving hosts taken back at 18:00 and 19:00 with a notice of 30 s.',
    incidents: [
      { kind: 'telemetry-outage', at: '9h', duration: '30m' },
      { kind: 'region-outage', at: '14h', duration: '2h', region: 'centralus' },
      { kind: 'eviction', at: '18h', region: 'eastus', sku: 'h100-80gb', instances: 8, target: 'spot' },
      { kind: 'eviction', at: '19h', region: 'eastus', sku: 'h100-80gb', instances: 4, target: 'on-demand' },
    ],
  },
  'artifact-static': {
    name: 'artifact-static',
    description:
      "The fixed fleet of the paper's artifact with its semantics: see the README of the command. Replay its " +
      'trace with --trace.',
    duration: '20m',
    traffic: {
      requestsPerDay: 930_000,
      tiers: { 'interactive-fast': 1 },
      promptTokens: PROMPT_2023,
      outputTokens: OUTPUT_2023,
    },
    regions: ['westus', 'centralus', 'eastus'].map((name) => ({ name, gpus: { 'a100-80gb': 48 } })),
    networkRttMs: [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ],
    skus: [{ name: 'a100-80gb', usdPerGpuHour: 4.1 }],
    models: ['A', 'B'].map((name) => ({
      name,
      deployments: [{ sku: 'a100-80gb', gpusPerInstance: 8, initialInstances: 3, minInstances: 3, maxInstances: 3 }],
    })),
    performance: 'artifact',
    batchScheduler: 'fcfs',
    strategies: ['static'],
    endpointDelay: '1s',
    // The hop of a second is on top of the usual objective.
    objectives: { 'interactive-fast': { ttft: '2s' } },
    engine: { like: 'artifact' },
  },
};

export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/** A built-in scenario. Throws `UnknownPolicyError` with the known names. */
export function preset(name: string): Scenario {
  const input = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (input === undefined) throw new UnknownPolicyError('preset', name, PRESET_NAMES);
  return parseScenario(input);
}
