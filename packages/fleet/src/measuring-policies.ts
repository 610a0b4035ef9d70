import {
  createHeadroomRelease,
  createLeastOutstandingTokensRouter,
  createNoOverflow,
  createOriginOnlyRouter,
  createPfScheduler,
} from '@sageserve/routing';
import { createCheapestFirstAcquisition, createLeastWorkLostVictim, createStaticScaling } from '@sageserve/scaling';
import type { FleetPolicies } from './build-fleet.js';

/** The policies under which it is measured what an instance carries: a fixed pool at its best. */
export function measuringPolicies(): FleetPolicies {
  return {
    regionRouter: createOriginOnlyRouter(),
    instanceRouter: createLeastOutstandingTokensRouter(),
    batchScheduler: createPfScheduler(),
    release: createHeadroomRelease(),
    overflow: createNoOverflow(),
    scaling: createStaticScaling(),
    victim: createLeastWorkLostVictim(),
    acquisition: createCheapestFirstAcquisition(),
  };
}
