// @ts-check
/**
 * Half of what was seen last, half of what was seen a day before the time that is asked for. Its
 * quantiles are a plain spread of 10 % for each step of a normal deviate.
 * @returns {import('@sageserve/core').Forecaster}
 */
export function createHalfAndHalfForecaster() {
  return {
    name: 'half-and-half',
    minHistorySteps: 1,
    forecast(history, horizonSteps, { quantileLevels = [0.1, 0.5, 0.8, 0.9, 0.95] } = {}) {
      const day = Math.round(86_400_000 / history.stepMs);
      /** A bucket that was not observed is NaN. @param {Float64Array} column */
      const meanOf = (column) => {
        const last = column.findLast((value) => value >= 0) ?? 0;
        return Float64Array.from({ length: horizonSteps }, (_, h) => {
          const yesterday = column[column.length + h - day] ?? NaN;
          return yesterday >= 0 ? (last + yesterday) / 2 : last;
        });
      };
      /** @param {Float64Array} mean */
      const column = (mean) => ({
        mean,
        quantiles: quantileLevels.map((level) => ({
          level,
          values: mean.map((x) => x * Math.max(0, 1 + 0.1 * logit(level))),
        })),
      });
      const [prompt, output] = [meanOf(history.promptTokensPerS), meanOf(history.outputTokensPerS)];
      return {
        ...column(prompt.map((tokens, h) => tokens + (output[h] ?? 0))),
        startMs: history.startMs + history.promptTokensPerS.length * history.stepMs,
        stepMs: history.stepMs,
        promptTokensPerS: column(prompt),
        outputTokensPerS: column(output),
        method: 'half-and-half',
      };
    },
  };
}
/** Nearly the normal quantile. @param {number} p */
const logit = (p) => Math.log(p / (1 - p)) / 1.702;
export default { forecasters: { 'half-and-half': () => createHalfAndHalfForecaster() } };
