import { answered, type DeploymentPerformance, type PerformanceModel } from '@sageserve/core';
import { breach, call, type Guard, isWithin, requireMethod } from './breach.js';

/**
 * What no GPU is beyond: tokens/s of an instance, tokens of memory, milliseconds of an iteration.
 */
const FASTEST = 1e8;
const LARGEST = 1e12;
const SMALLEST = 1e-6;
const SPEED =
  `iterationMs() and maxTokensPerS() return at once numbers from ${SMALLEST} to ${LARGEST} and ${FASTEST}, and ` +
  'kvCapacityTokens is one.';
export const guardPerformance: Guard<PerformanceModel> = (model, about) => {
  requireMethod(model, 'forDeployment', about);
  const positive = (value: number, what: string, most = LARGEST): number => {
    if (!isWithin(value, SMALLEST, most)) throw breach(about, `has ${answered(value)} for ${what}`, SPEED);
    return value;
  };
  return {
    name: model.name,
    forDeployment(deployment): DeploymentPerformance {
      const made = call(about, 'forDeployment', SPEED, () => {
        const answer = model.forDeployment(deployment);
        requireMethod(answer, 'iterationMs', about);
        requireMethod(answer, 'maxTokensPerS', about);
        return answer;
      });
      return {
        kvCapacityTokens: positive(made.kvCapacityTokens, 'kvCapacityTokens'),
        maxTokensPerS: (mix) =>
          positive(
            call(about, 'maxTokensPerS', SPEED, () => made.maxTokensPerS(mix)),
            'maxTokensPerS()',
            FASTEST,
          ),
        iterationMs: (...load) =>
          positive(
            call(about, 'iterationMs', SPEED, () => made.iterationMs(...load)),
            'iterationMs()',
          ),
      };
    },
  };
};
