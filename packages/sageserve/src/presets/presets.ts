import { UnknownPolicyError } from '@sageserve/core';
import { parseScenario } from '../scenario/parse.js';
import type { Scenario, ScenarioInput } from '../scenario/schema.js';

/** Prompt and output tokens of Azure's 2023 conversation trace (CC-BY-4.0), from which the paper's artifact draws its tokens. */
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

/** Azure list prices of eight-GPU VMs in the United States by the GPU-hour: ND96isr H100 v5 98.32 $/h (the paper's α), ND96amsr A100 v4 32.77 $/h. */
const SKUS = [
  { name: 'h100-80gb', usdPerGpuHour: 12.29 },
  { name: 'a100-80gb', usdPerGpuHour: 4.1 },
];

const GPUS_PER_REGION = { 'h100-80gb': 20 * 8 + 20 * 4, 'a100-80gb': 20 * 2 + 20 * 2 };

/** Three regions whose days begin an hour or two apart and whose traffic differs several-fold, as in the paper. */
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

/** The four models of the paper on GPUs on which they were measured; up to 20 instances of each in a region. */
const MODELS = [
  { name: 'bloom-176b', share: 0.12, deployments: [{ sku: 'h100-80gb', gpusPerInstance: 8 }] },
  { name: 'llama-2-70b', share: 0.28, deployments: [{ sku: 'h100-80gb', gpusPerInstance: 4 }] },
  { name: 'llama-3.1-8b', share: 0.35, deployments: [{ sku: 'a100-80gb', gpusPerInstance: 2 }] },
  { name: 'llama-3.2-3b', share: 0.25, deployments: [{ sku: 'a100-80gb', gpusPerInstance: 2 }] },
];

const PAPER: ScenarioInput = {
  description:
    'Three regions and four models on up to 240 instances; ten million requests on a mean day, 72 % interactive; shape of the Azure 2024 week, tokens of 2023.',
  duration: '24h',
  traffic: { requestsPerDay: 10_000_000, promptTokens: PROMPT_2023, outputTokens: OUTPUT_2023 },
  regions: REGIONS,
  networkRttMs: RTT_MS,
  skus: SKUS,
  models: MODELS,
  strategies: ['siloed', 'reactive'],
};

const PRESETS: Readonly<Record<string, ScenarioInput>> = {
  small: {
    ...PAPER,
    name: 'small',
    description: 'Two models in three regions for six hours of a weekday, a million requests: a first look in a few seconds.',
    duration: '6h',
    traffic: { ...PAPER.traffic, requestsPerDay: 3_000_000, startHourOfWeek: 34 },
    regions: REGIONS.map((r) => ({ ...r, gpus: { 'h100-80gb': 24, 'a100-80gb': 12 } })),
    models: [
      { name: 'llama-2-70b', share: 0.5, deployments: [{ sku: 'h100-80gb', gpusPerInstance: 4, initialInstances: 6, maxInstances: 6 }] },
      { name: 'llama-3.1-8b', share: 0.5, deployments: [{ sku: 'a100-80gb', gpusPerInstance: 2, initialInstances: 6, maxInstances: 6 }] },
    ],
  },
  'paper-day': { ...PAPER, name: 'paper-day' },
  'paper-week': { ...PAPER, name: 'paper-week', description: 'The week of which paper-day is the Monday: seventy million requests.', duration: '7d' },
  burst: {
    ...PAPER,
    name: 'burst',
    description: "The paper's burst test: a day in which the first minute of each hour brings nine times the traffic.",
    traffic: { ...PAPER.traffic, requestsPerDay: 2_000_000, burst: { every: '1h', length: '1m', factor: 9 } },
  },
  'artifact-static': {
    name: 'artifact-static',
    description: "The fixed fleet of the paper's artifact with its semantics: see the README of the command. Replay its trace with --trace.",
    duration: '20m',
    traffic: { requestsPerDay: 930_000, tiers: { 'interactive-fast': 1 }, promptTokens: PROMPT_2023, outputTokens: OUTPUT_2023 },
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
    engine: { maxBatchRequests: 512, unlimitedBatchTokens: true, kvAllocation: 'reserve' },
  },
};

export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/** A built-in scenario. Throws `UnknownPolicyError` with the known names. */
export function preset(name: string): Scenario {
  const input = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (input === undefined) throw new UnknownPolicyError('preset', name, PRESET_NAMES);
  return parseScenario(input);
}
