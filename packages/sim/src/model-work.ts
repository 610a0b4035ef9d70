/**
 * Requests by model, and what all of them ask of instances: tokens of prompts and of answers, and
 * the context that their decodes read.
 */
export class ModelWork {
  readonly requests: Float64Array;
  readonly prompt: Float64Array;
  readonly output: Float64Array;
  readonly context: Float64Array;

  constructor(models: number) {
    this.requests = new Float64Array(models);
    this.prompt = new Float64Array(models);
    this.output = new Float64Array(models);
    this.context = new Float64Array(models);
  }

  add(model: number, prompt: number, output: number): void {
    this.requests[model]++;
    this.prompt[model] += prompt;
    this.output[model] += output;
    this.context[model] += contextOf(prompt, output - 1);
  }

  remove(model: number, prompt: number, output: number): void {
    this.requests[model]--;
    this.prompt[model] -= prompt;
    this.output[model] -= output;
    this.context[model] -= contextOf(prompt, output - 1);
  }
}

/**
 * What a request's first decodes read: the first of them its prompt and one token, each one token
 * more than the one before.
 */
function contextOf(prompt: number, decodes: number): number {
  return decodes * prompt + (decodes * (decodes + 1)) / 2;
}
