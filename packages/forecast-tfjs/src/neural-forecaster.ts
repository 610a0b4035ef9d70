import {
  ConfigError,
  createRng,
  DEFAULT_DEMAND_STEP_MS,
  type DemandSeries,
  type Forecaster,
  minOf,
  MS_PER_DAY,
  SageServeError,
} from '@sageserve/core';
import {
  checkHistory,
  fillGaps,
  firstObserved,
  ForecastHistoryError,
  levelsOf,
  observedSteps,
  stepsPerDay,
} from '@sageserve/forecast';
import { type BackendChoice, type BackendName, chooseBackend } from './backend.js';
import { Network, type TrainingBatch } from './network.js';
import { COLUMNS, forecastWith } from './read-forecast.js';
import { formatWeights, newestOf, parseWeights, type State } from './trained-state.js';
import { baseOf, reachOf, STEP_FEATURES, WINDOW, windowSizes, writeWindow } from './windows.js';

export interface NeuralOptions {
  readonly seed?: number | string;
  /** Steps that the network reaches ahead; 6 by default. Fewer can be asked for, more can't. */
  readonly horizonSteps?: number;
  /** Width of the hidden layers; 24 by default. */
  readonly units?: number;
  /** Passes of the first training; 30 by default. */
  readonly epochs?: number;
  /** Passes of each training after that, which starts from the weights before it; 4 by default. */
  readonly warmEpochs?: number;
  /** Windows drawn for a pass, from all series; 8,192 at most by default. */
  readonly samplesPerEpoch?: number;
  readonly learningRate?: number;
  /** Time between trainings; a day by default. */
  readonly retrainEveryMs?: number;
  /** Bucket length that `minHistorySteps` is stated for; 10 minutes by default. */
  readonly stepMs?: number;
  /** Ask for one backend instead of the best there is. */
  readonly backend?: BackendName;
  /** What {@link NeuralForecaster.save} gave. */
  readonly weights?: string;
}

/** What a training cost and came to. */
export interface TrainingReport {
  readonly series: number;
  readonly windows: number;
  readonly steps: number;
  /** Mean loss of the last pass. */
  readonly loss: number;
  /** Whether it began from earlier weights. */
  readonly warm: boolean;
}

export interface NeuralForecaster extends Forecaster {
  /**
   * Trains on all series at once, up to the end of the shortest-lived of their clocks; warm from
   * the newest weights that saw nothing later. `forecast` does so by itself once a day with the
   * series that it was asked about; call this first to give it all of them.
   */
  train(histories: readonly DemandSeries[], signal?: AbortSignal): Promise<TrainingReport>;
  /** The newest weights as text. Throws `SageServeError` before the first training. */
  save(): string;
  /** Where it computes, and why. */
  backend(): Promise<BackendChoice>;
}

const BATCH = 256;
/** Trained states that are kept, newest: one for each day that may be asked about again. */
const MAX_STATES = 40;
/** Series that are kept to be trained on; the one that was not heard of longest goes first. */
const MAX_SERIES = 4_096;

/**
 * A neural forecaster on TensorFlow.js: a temporal convolution over the newest five hours,
 * yesterday, last week and the calendar, direct for all steps of the horizon, with quantiles by
 * pinball loss; one network for all series, each in units of its own level. Trained when first
 * asked and once a day from there, each time from the weights before; the hours between only
 * compute forward. Weights that saw later data than a history holds are never used for it. The same
 * seed, histories and backend give the same forecasts.
 */
export function createNeuralForecaster(options: NeuralOptions = {}): NeuralForecaster {
  const {
    seed = 1,
    horizonSteps: reach = 6,
    units = 24,
    epochs = 30,
    warmEpochs = 4,
    samplesPerEpoch = 8_192,
    learningRate = 0.001,
    retrainEveryMs = MS_PER_DAY,
    stepMs: statedStepMs = DEFAULT_DEMAND_STEP_MS,
  } = options;
  for (const [name, value] of Object.entries({ horizonSteps: reach, units, epochs, warmEpochs, samplesPerEpoch }))
    if (!Number.isInteger(value) || value < 1 || value > 100_000)
      throw new ConfigError(name, `must be a whole number from 1 to 100000, not ${value}`);
  for (const [name, value] of Object.entries({ learningRate, retrainEveryMs, stepMs: statedStepMs }))
    if (!(value > 0 && value < Infinity)) throw new ConfigError(name, `must be above 0, not ${value}`);
  const sizes = windowSizes(reach);
  const pool = new Map<string, DemandSeries>();
  const states: State[] = [];
  if (options.weights !== undefined) states.push(parseWeights(options.weights, reach, units));
  let network: Network | undefined;
  let loaded: State | undefined;
  /** The network holds weights of no state. */
  let dirty = false;
  /** Trainings and forecasts share one network: they take turns. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work);
    turn = next.catch(() => undefined);
    return next;
  };

  const fewest = (stepMs: number): number => 2 * stepsPerDay(stepMs) + reachOf(0, reach) + reach;

  async function networkWith(state: State | undefined): Promise<Network> {
    await chooseBackend(options.backend);
    if (state === undefined && (dirty || loaded !== undefined)) {
      // Weights can't be taken back to what they were drawn as: it begins anew.
      network?.dispose();
      network = undefined;
      loaded = undefined;
    }
    dirty = false;
    network ??= new Network(sizes, units, createRng(seed).fork('weights'), learningRate);
    if (state !== undefined && loaded !== state) {
      network.load(state.weights, learningRate);
      loaded = state;
    }
    return network;
  }

  /**
   * Keeps a series for later trainings. A shorter look at the same series, as calibration takes,
   * does not replace a longer one.
   */
  function remember(history: DemandSeries): string {
    const id = idOf(history);
    const known = pool.get(id);
    if (known === undefined || endOf(history) >= endOf(known) || !continues(history, known)) {
      pool.delete(id);
      pool.set(id, copyOf(history));
      if (pool.size > MAX_SERIES) pool.delete(pool.keys().next().value!);
    }
    return id;
  }

  /** The newest state that saw nothing after `untilMs`. */
  function newestState(untilMs: number, stepMs: number): State | undefined {
    return newestOf(states.filter((state) => state.trainedUntilMs <= untilMs && state.stepMs === stepMs));
  }

  async function trainUntil(untilMs: number, stepMs: number, signal?: AbortSignal): Promise<TrainingReport> {
    const day = stepsPerDay(stepMs);
    const columns: { values: Float64Array; startMs: number }[] = [];
    const names = new Set<string>();
    for (const [id, history] of pool) {
      if (history.stepMs !== stepMs) continue;
      const length = Math.min(history.promptTokensPerS.length, Math.floor((untilMs - history.startMs) / stepMs));
      const first = firstObserved(history);
      if (length - first < fewest(stepMs)) continue;
      names.add(id);
      for (const name of COLUMNS) {
        const values = fillGaps(history[name].subarray(0, length), stepMs).subarray(first);
        if (values.some((x) => x > 0)) columns.push({ values, startMs: history.startMs + first * stepMs });
      }
    }
    const starts: number[] = [];
    let windows = 0;
    for (const { values } of columns) {
      starts.push(windows);
      windows += values.length - reachOf(day, reach) - reach + 1;
    }
    const newest = newestState(untilMs, stepMs);
    const before = newest === undefined || newest.windows === 0 ? undefined : newest;
    const net = await networkWith(before);
    const rng = createRng(seed).fork(`training ${untilMs} ${names.size}`);
    const perPass = Math.min(samplesPerEpoch, windows);
    const passes = before === undefined ? epochs : warmEpochs;
    let steps = 0;
    let loss = 0;
    // What is half done is not what any state says: whatever happens before the end, the network is
    // loaded anew.
    loaded = undefined;
    dirty = true;
    for (let pass = 0; pass < passes && windows > 0; pass++) {
      let sum = 0;
      let batches = 0;
      for (let done = 0; done < perPass; done += BATCH) {
        signal?.throwIfAborted();
        sum += net.train(drawBatch(columns, starts, windows, Math.min(BATCH, perPass - done), day, stepMs, reach, rng));
        batches++;
        steps++;
      }
      loss = sum / batches;
    }
    const weights = net.weights();
    if (!Number.isFinite(loss) || weights.some((w) => !w.every(Number.isFinite)))
      throw new SageServeError('ERR_TRAINING', 'the training diverged', { hint: 'Lower learningRate.' });
    const state: State = {
      weights,
      trainedUntilMs: untilMs,
      period: Math.floor(untilMs / retrainEveryMs),
      stepMs,
      series: names,
      windows,
    };
    dirty = false;
    states.push(state);
    if (states.length > MAX_STATES) states.shift();
    loaded = state;
    return { series: names.size, windows, steps, loss, warm: before !== undefined };
  }

  /** Weights for a history: trained this period, and on its series among others. */
  async function stateFor(history: DemandSeries, id: string, untilMs: number, signal?: AbortSignal): Promise<State> {
    const newest = newestState(untilMs, history.stepMs);
    const period = Math.floor(untilMs / retrainEveryMs);
    if (newest === undefined || newest.period < period || !newest.series.has(id))
      await trainUntil(untilMs, history.stepMs, signal);
    return newestState(untilMs, history.stepMs)!;
  }

  const forecaster: NeuralForecaster = {
    name: 'neural',
    minHistorySteps: fewest(statedStepMs),
    async train(histories, signal) {
      if (histories.length === 0) throw new ConfigError('histories', 'needs at least one series');
      return inTurn(async () => {
        for (const history of histories) {
          checkHistory(history);
          remember(history);
        }
        const { stepMs } = histories[0];
        return trainUntil(minOf(histories.map(endOf)), stepMs, signal);
      });
    },
    async forecast(history, horizonSteps, forecastOptions) {
      if (!Number.isInteger(horizonSteps) || horizonSteps < 1 || horizonSteps > reach)
        throw new ConfigError('horizonSteps', `must be from 1 to ${reach}, not ${horizonSteps}`, {
          hint: 'Give createNeuralForecaster a larger horizonSteps.',
        });
      checkHistory(history);
      forecastOptions?.signal?.throwIfAborted();
      const levels = levelsOf(forecastOptions);
      const needed = fewest(history.stepMs);
      if (observedSteps(history) < needed)
        throw new ForecastHistoryError(
          `neural needs ${needed} observed buckets, and ${history.key.modelId} in ${history.key.regionId} has ` +
            `${observedSteps(history)}`,
        );
      return inTurn(async () => {
        const id = remember(history);
        const state = await stateFor(history, id, endOf(history), forecastOptions?.signal);
        const net = await networkWith(state);
        return forecastWith(net, history, horizonSteps, reach, levels);
      });
    },
    save() {
      const state = newestOf(states);
      if (state === undefined)
        throw new SageServeError('ERR_NOT_TRAINED', 'there are no weights before the first training', {
          hint: 'Call train() or forecast() first.',
        });
      return formatWeights(state, reach, units);
    },
    backend: () => chooseBackend(options.backend),
  };
  return forecaster;
}

function idOf({ key }: DemandSeries): string {
  return `${key.modelId}\n${key.regionId}`;
}

/** Whether the newest buckets of `shorter` are those that `longer` has at the same time. */
function continues(shorter: DemandSeries, longer: DemandSeries): boolean {
  const shift = Math.round((shorter.startMs - longer.startMs) / shorter.stepMs);
  const length = shorter.promptTokensPerS.length;
  for (let t = Math.max(0, length - WINDOW); t < length; t++)
    if (!Object.is(shorter.promptTokensPerS[t], longer.promptTokensPerS[t + shift])) return false;
  return shorter.stepMs === longer.stepMs;
}

function endOf({ startMs, stepMs, promptTokensPerS }: DemandSeries): number {
  return startMs + stepMs * promptTokensPerS.length;
}

/** Histories are lent: what is trained on later must be kept. */
function copyOf(history: DemandSeries): DemandSeries {
  return {
    ...history,
    promptTokensPerS: history.promptTokensPerS.slice(),
    outputTokensPerS: history.outputTokensPerS.slice(),
  };
}

function drawBatch(
  columns: readonly { values: Float64Array; startMs: number }[],
  starts: readonly number[],
  windows: number,
  size: number,
  day: number,
  stepMs: number,
  reach: number,
  rng: { next(): number },
): TrainingBatch {
  const { extras: width } = windowSizes(reach);
  const steps = new Float32Array(size * WINDOW * STEP_FEATURES);
  const extras = new Float32Array(size * width);
  const targets = new Float32Array(size * reach);
  for (let i = 0; i < size; i++) {
    const drawn = Math.floor(rng.next() * windows);
    let c = starts.length - 1;
    while (starts[c] > drawn) c--;
    const { values, startMs } = columns[c];
    const origin = reachOf(day, reach) + drawn - starts[c];
    const scale = writeWindow(
      values,
      origin,
      day,
      reach,
      startMs,
      stepMs,
      steps,
      i * WINDOW * STEP_FEATURES,
      extras,
      i * width,
    );
    const base = baseOf(values, origin, day, reach);
    for (let h = 0; h < reach; h++) targets[i * reach + h] = (values[origin + h] - base[h]) / scale;
  }
  return { size, steps, extras, targets };
}
