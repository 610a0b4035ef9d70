import type { PerformanceModel } from '@sageserve/core';
import { createMeasuredPerformanceModel, measuredTableOf } from './measured.js';
import { createRooflinePerformanceModel, type RooflineConstants } from './roofline.js';

/** Measured tables where there are any for a deployment, the roofline where there are none. */
export function createAutoPerformanceModel(constants?: RooflineConstants): PerformanceModel {
  const measured = createMeasuredPerformanceModel();
  const roofline = createRooflinePerformanceModel(constants);
  return {
    name: 'auto',
    forDeployment: (deployment) =>
      (measuredTableOf(deployment) === undefined ? roofline : measured).forDeployment(deployment),
  };
}
