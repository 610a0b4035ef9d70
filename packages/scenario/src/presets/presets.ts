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
 * $/h (the paper's α), ND96amsr A100 v4 32.77 $/h. As spot a quarter of that: an NC40ads H100 v5
 * (6.98 $/h) went for 1.51 to 1.61 $/h in 2026 (caleta.io, "100x cheaper than GPT-4o").
 */
const SKUS = [
  { name: 'h100-80gb', usdPerGpuHour: 12.29, usdPerSpotGpuHour: 3.07 },
  { name: 'a100-80gb', usdPerGpuHour: 4.1, usdPerSpotGpuHour: 1.02 },
];

/** Nothing that is given up can be had back sooner than a new VM: there is no spot pool. */
const slowly = (delay: string): typeof SKUS =>
  SKUS.map((sku) => ({ ...sku, reclaim: delay, redeploy: delay, newVm: delay }));

/** Nobody has to have anything to begin with that it can't have again. */
const noSpot = (models: NonNullable<ScenarioInput['models']>): NonNullable<ScenarioInput['models']> =>
  models.map((model) => ({
    ...model,
    deployments: model.deployments.map(({ initialSpotInstances: _, ...own }) => own),
  }));

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

const STRATEGIES = ['siloed', 'reactive', 'lt-i', 'lt-u', 'lt-ua', 'chiron-like', 'oracle', 'sage'];

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

/** A weekday of ten to one between eleven and night; weekends as the nights. */
const OFFICE_DAY = [
  1, 1, 1, 1, 1, 1.2, 2, 4, 7, 9.2, 9.9, 10, 8.6, 9, 9.8, 9.6, 8.8, 7, 4.5, 3, 2.2, 1.6, 1.2, 1,
] as const;
const OFFICE_WEEK = [0, 1, 2, 3, 4, 5, 6].flatMap((day) =>
  OFFICE_DAY.map((rate) => (day === 0 || day === 6 ? Math.min(rate, 1.5) : rate)),
);

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
  'cold-start': {
    ...PAPER,
    name: 'cold-start',
    description:
      'paper-day without a spot pool: an instance that is given up is gone, and a new one takes 40 minutes, the ' +
      'middle of what the paper says of new VMs and weights from elsewhere.',
    skus: slowly('40m'),
    models: noSpot(MODELS),
  },
  'cold-start-10m': {
    ...PAPER,
    name: 'cold-start-10m',
    description: 'cold-start where a new instance takes ten minutes, as the paper has it of weights in the region.',
    skus: slowly('10m'),
    models: noSpot(MODELS),
  },
  'office-hours': {
    ...PAPER,
    name: 'office-hours',
    description:
      'paper-day on a Tuesday of a service that people use at work: ten times as many interactive requests at ' +
      'eleven as at night, and in 40 minutes a new instance. The shape is made up; the Azure 2024 week has 1.8 and ' +
      'the small model of ServeGen 4, which many services share.',
    traffic: { ...PAPER.traffic, requestsPerDay: 6_000_000, startHourOfWeek: 48, shape: OFFICE_WEEK },
    skus: slowly('40m'),
    models: noSpot(MODELS),
  },
  step: {
    ...PAPER,
    name: 'step',
    description:
      'Traffic that is five times as much from 6:00 on, and stays so: a launch. Two million requests a day before ' +
      'it, from everywhere alike at any hour; a new instance takes ten minutes.',
    duration: '12h',
    traffic: { ...PAPER.traffic, requestsPerDay: 2_000_000, shape: 'flat', levels: [{ at: '6h', factor: 5 }] },
    skus: slowly('10m'),
    models: noSpot(MODELS),
  },
  drop: {
    ...PAPER,
    name: 'drop',
    description:
      'Traffic that stops at 6:00, comes back at 9:00 as if nothing had been, as after an outage of what calls, and ' +
      'is a fifth from noon on. A new instance takes ten minutes.',
    duration: '18h',
    traffic: {
      ...PAPER.traffic,
      shape: 'flat',
      levels: [
        { at: '6h', factor: 0 },
        { at: '9h', factor: 1 },
        { at: '12h', factor: 0.2 },
      ],
    },
    skus: slowly('10m'),
    models: noSpot(MODELS),
  },
  'late-burst': {
    ...PAPER,
    name: 'late-burst',
    description:
      'paper-day at four million requests, in which the last quarter of every third hour brings six times the ' +
      "traffic: after minute 40, where LT-UA's rule looks.",
    traffic: {
      ...PAPER.traffic,
      requestsPerDay: 4_000_000,
      burst: { every: '3h', offset: '165m', length: '15m', factor: 6 },
    },
  },
  flash: {
    ...PAPER,
    name: 'flash',
    description:
      'paper-day at five million requests and three flash crowds that no history tells of: four times the traffic ' +
      'for 20 minutes at 4:10 and at 11:25, three times for an hour at 17:35.',
    traffic: {
      ...PAPER.traffic,
      requestsPerDay: 5_000_000,
      levels: [
        { at: '250m', factor: 4 },
        { at: '270m', factor: 1 },
        { at: '685m', factor: 4 },
        { at: '705m', factor: 1 },
        { at: '1055m', factor: 3 },
        { at: '1115m', factor: 1 },
      ],
    },
  },
  'region-loss': {
    ...PAPER,
    name: 'region-loss',
    description: 'paper-day in which East US, half of the traffic, loses all of its GPUs from 13:00 to 15:00.',
    incidents: [{ kind: 'region-outage', at: '13h', duration: '2h', region: 'eastus' }],
  },
  'small-fleet': {
    ...PAPER,
    name: 'small-fleet',
    description: 'Six instances in all: one model of 8B on one A100 each, up to three in each of two regions.',
    traffic: { ...PAPER.traffic, requestsPerDay: 2_600_000 },
    regions: REGIONS.slice(0, 2).map((r, i) => ({ ...r, share: [0.6, 0.4][i]!, gpus: { 'a100-80gb': 3 } })),
    networkRttMs: [
      [0, 30],
      [30, 0],
    ],
    skus: SKUS.slice(1),
    models: [
      {
        name: 'llama-3.1-8b',
        deployments: [
          {
            sku: 'a100-80gb',
            gpusPerInstance: 1,
            initialInstances: 2,
            initialSpotInstances: 1,
            minInstances: 1,
            maxInstances: 3,
          },
        ],
      },
    ],
  },
  reserved: {
    ...PAPER,
    name: 'reserved',
    description:
      'paper-day where every GPU is paid for, donated or not, at three fifths of its list price, as with a ' +
      'reservation of a year; donated ones earn the spot price. The bill is what counts.',
    skus: SKUS.map((sku) => ({ ...sku, usdPerGpuHour: Number((0.6 * sku.usdPerGpuHour).toFixed(2)) })),
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
