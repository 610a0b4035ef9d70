import type { Rng } from '@sageserve/core';
import * as tf from '@tensorflow/tfjs-core';
import { STEP_FEATURES, WINDOW, type WindowSizes } from './windows.js';

/** Levels that a network is trained for; others are read off between them. */
export const TRAINED_LEVELS: readonly number[] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
const MIDDLE = TRAINED_LEVELS.indexOf(0.5);
/** The mean has an output of its own. */
const OUTPUTS = TRAINED_LEVELS.length + 1;
const HIDDEN_LAYERS = Math.log2(WINDOW);

export interface TrainingBatch {
  readonly size: number;
  readonly steps: Float32Array;
  readonly extras: Float32Array;
  /** Distance of what came from the base, in units of the scale, size × horizon. */
  readonly targets: Float32Array;
}

/**
 * A temporal convolution with kernels of two steps whose dilation doubles from layer to layer (van
 * den Oord et al. 2016). Only its last output is used, so that each layer is one product over
 * pairs: 32 steps become one in five. What is known beside the window joins before the last two
 * layers. Direct: all steps of the horizon at once.
 */
export class Network {
  readonly #sizes: WindowSizes;
  readonly #units: number;
  readonly #weights: tf.Variable[] = [];
  #optimizer: tf.AdamOptimizer;

  constructor(sizes: WindowSizes, units: number, rng: Rng, learningRate: number) {
    this.#sizes = sizes;
    this.#units = units;
    for (const [rows, columns] of this.#shapes()) {
      // He et al. 2015; the last layer begins near zero, which is the base itself.
      const spread = columns === sizes.horizonSteps * OUTPUTS ? 0.01 : Math.sqrt(2 / rows);
      this.#weights.push(
        tf.variable(
          tf.tensor2d(
            Float32Array.from({ length: rows * columns }, () => spread * gaussian(rng)),
            [rows, columns],
          ),
        ),
      );
      this.#weights.push(tf.variable(tf.zeros([columns])));
    }
    this.#optimizer = tf.train.adam(learningRate);
  }

  #shapes(): [number, number][] {
    const units = this.#units;
    const layers: [number, number][] = [];
    for (let k = 0; k < HIDDEN_LAYERS; k++) layers.push([2 * (k === 0 ? STEP_FEATURES : units), units]);
    layers.push([units + this.#sizes.extras, 2 * units], [2 * units, this.#sizes.horizonSteps * OUTPUTS]);
    return layers;
  }

  /**
   * Outputs, size × horizon × (mean, quantiles in order): a middle, and distances from it that
   * can't be negative, so that quantiles never cross.
   */
  #apply(steps: tf.Tensor2D, extras: tf.Tensor2D): tf.Tensor3D {
    const size = steps.shape[0];
    let x: tf.Tensor = steps;
    let features = STEP_FEATURES;
    let length = WINDOW;
    let w = 0;
    for (let k = 0; k < HIDDEN_LAYERS; k++) {
      length /= 2;
      x = this.#dense(tf.reshape(x, [size * length, 2 * features]), w);
      w += 2;
      features = this.#units;
    }
    x = this.#dense(tf.concat([tf.reshape(x, [size, features]), extras], 1), w);
    const last = tf.add(tf.matMul(x as tf.Tensor2D, this.#weights[w + 2] as tf.Tensor2D), this.#weights[w + 3]);
    const raw = tf.reshape(last, [size, this.#sizes.horizonSteps, OUTPUTS]);
    const pick = (k: number): tf.Tensor3D => tf.slice(raw, [0, 0, k], [-1, -1, 1]) as tf.Tensor3D;
    const quantiles: tf.Tensor3D[] = [];
    quantiles[MIDDLE] = pick(1 + MIDDLE);
    for (let k = MIDDLE + 1; k < TRAINED_LEVELS.length; k++)
      quantiles[k] = tf.add(quantiles[k - 1], distance(pick(1 + k)));
    for (let k = MIDDLE - 1; k >= 0; k--) quantiles[k] = tf.sub(quantiles[k + 1], distance(pick(1 + k)));
    return tf.concat([pick(0), ...quantiles], 2);
  }

  #dense(x: tf.Tensor, w: number): tf.Tensor {
    return tf.relu(tf.add(tf.matMul(x as tf.Tensor2D, this.#weights[w] as tf.Tensor2D), this.#weights[w + 1]));
  }

  /**
   * One step of gradient descent; returns the loss: mean pinball over levels and steps, and a Huber
   * loss for the mean.
   */
  train({ size, steps, extras, targets }: TrainingBatch): number {
    const { horizonSteps } = this.#sizes;
    return tf.tidy(() => {
      const inputs = this.#tensors(size, steps, extras);
      const wanted = tf.tensor3d(targets, [size, horizonSteps, 1]);
      const levels = tf.tensor1d([...TRAINED_LEVELS]);
      const loss = this.#optimizer.minimize(
        () => {
          const out = this.#apply(...inputs);
          const error = tf.sub(wanted, tf.slice(out, [0, 0, 1], [-1, -1, -1]));
          const pinball = tf.mean(tf.maximum(tf.mul(error, levels), tf.mul(error, tf.sub(levels, 1))));
          const miss = tf.sub(wanted, tf.slice(out, [0, 0, 0], [-1, -1, 1]));
          // √(1 + x²) − 1: squares small errors, and does not let a burst rule.
          const huber = tf.mean(tf.sub(tf.sqrt(tf.add(tf.square(tf.mul(miss, 10)), 1)), 1));
          return tf.add(pinball, tf.mul(huber, 0.02));
        },
        true,
        this.#weights,
      );
      return loss!.dataSync()[0];
    });
  }

  /** size × horizon × (mean, quantiles), flat. */
  predict(size: number, steps: Float32Array, extras: Float32Array): Float32Array {
    return tf.tidy(() => this.#apply(...this.#tensors(size, steps, extras)).dataSync() as Float32Array);
  }

  #tensors(size: number, steps: Float32Array, extras: Float32Array): [tf.Tensor2D, tf.Tensor2D] {
    return [tf.tensor2d(steps, [size, WINDOW * STEP_FEATURES]), tf.tensor2d(extras, [size, this.#sizes.extras])];
  }

  /** Copies of all weights, in order. */
  weights(): Float32Array[] {
    return this.#weights.map((weight) => Float32Array.from(weight.dataSync()));
  }

  /**
   * Puts weights in place and forgets the optimiser's momentum. Throws where their sizes differ.
   */
  load(weights: readonly Float32Array[], learningRate: number): void {
    if (weights.length !== this.#weights.length || weights.some((w, i) => w.length !== this.#weights[i].size))
      throw new Error('the weights are those of a network of another shape');
    for (const [i, weight] of this.#weights.entries()) {
      const values = tf.tensor(weights[i], weight.shape);
      weight.assign(values);
      values.dispose();
    }
    this.#optimizer.dispose();
    this.#optimizer = tf.train.adam(learningRate);
  }

  dispose(): void {
    this.#optimizer.dispose();
    for (const weight of this.#weights) weight.dispose();
  }
}

/** Softplus, small at first so that quantiles begin close together. */
function distance(x: tf.Tensor3D): tf.Tensor3D {
  // Written out, since not every backend has the operation.
  return tf.mul(tf.log(tf.add(tf.exp(x), 1)), 0.05);
}

/** A standard normal number (Box and Muller 1958). */
function gaussian(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
}
