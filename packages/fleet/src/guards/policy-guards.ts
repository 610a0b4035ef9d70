import {
  ACQUISITION_CONTRACT,
  acquisitionBreach,
  type AcquisitionPolicy,
  answered,
  type BatchScheduler,
  type InstanceRouter,
  OVERFLOW_CONTRACT,
  overflowBreach,
  type OverflowPolicy,
  type RegionRouter,
  type ReleasePolicy,
  SCALING_CONTRACT,
  scalingBreach,
  type ScalingPolicy,
  VICTIM_CONTRACT,
  victimBreach,
  type VictimPolicy,
} from '@sageserve/core';
import { breach, call, type Guard, memoryOf, requireMethod } from './breach.js';

const ROUTER =
  'route() returns at once the index of a region that hosts the model and that the request may go to, or -1 ' +
  'where there is none.';
export const guardRegionRouter: Guard<RegionRouter> = (router, about) => {
  requireMethod(router, 'route', about);
  return {
    name: router.name,
    ...memoryOf(router, about),
    route(request, regions, nowMs) {
      const region = call(about, 'route', ROUTER, () => router.route(request, regions, nowMs));
      if (region === -1) return region;
      if (!(Number.isInteger(region) && region >= 0 && region < regions.count))
        throw breach(about, `answered with ${answered(region)} where there are ${regions.count} regions`, ROUTER);
      if (!(regions.hosts(region) && regions.allowed(region)))
        throw breach(about, `chose region ${regions.regionId(region)}, which may not serve the request`, ROUTER);
      return region;
    },
  };
};

const INSTANCES = 'route() returns at once the index of a ready instance, or -1 to let the request wait.';
export const guardInstanceRouter: Guard<InstanceRouter> = (router, about) => {
  requireMethod(router, 'route', about);
  return {
    name: router.name,
    ...memoryOf(router, about),
    route(request, pool, nowMs) {
      const instance = call(about, 'route', INSTANCES, () => router.route(request, pool, nowMs));
      if (instance !== -1 && !(Number.isInteger(instance) && instance >= 0 && instance < pool.count))
        throw breach(about, `answered with ${answered(instance)} where there are ${pool.count} instances`, INSTANCES);
      return instance;
    },
  };
};

const SCHEDULER = 'priority() returns at once a finite number.';
export const guardBatchScheduler: Guard<BatchScheduler> = (scheduler, about) => {
  requireMethod(scheduler, 'priority', about);
  if ('admit' in scheduler)
    throw breach(
      about,
      'has admit(), which nobody asks any more',
      'A scheduler orders: engines decide what they admit.',
    );
  return {
    name: scheduler.name,
    ...memoryOf(scheduler, about),
    priority(request, nowMs) {
      const key = call(about, 'priority', SCHEDULER, () => scheduler.priority(request, nowMs));
      if (!Number.isFinite(key)) throw breach(about, `answered with ${answered(key)} in priority()`, SCHEDULER);
      return key;
    },
  };
};

const RELEASE = 'release() returns at once a whole number of 0 or more: how many held requests to let go.';
export const guardRelease: Guard<ReleasePolicy> = (policy, about) => {
  requireMethod(policy, 'release', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    release(held, pool, nowMs) {
      const count = call(about, 'release', RELEASE, () => policy.release(held, pool, nowMs));
      if (!(Number.isInteger(count) && count >= 0)) throw breach(about, `answered with ${answered(count)}`, RELEASE);
      return count;
    },
  };
};

export const guardScaling: Guard<ScalingPolicy> = (policy, about) => {
  requireMethod(policy, 'decide', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    decide(fleet, plan, nowMs) {
      const decisions = call(about, 'decide', SCALING_CONTRACT, () => policy.decide(fleet, plan, nowMs));
      const broken = call(about, 'decide', SCALING_CONTRACT, () => scalingBreach(decisions, fleet));
      if (broken !== undefined) throw breach(about, broken, SCALING_CONTRACT);
      return decisions;
    },
  };
};

export const guardOverflow: Guard<OverflowPolicy> = (policy, about) => {
  requireMethod(policy, 'overflows', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    overflows(request, home, other, nowMs) {
      const answer = call(about, 'overflows', OVERFLOW_CONTRACT, () => policy.overflows(request, home, other, nowMs));
      const broken = overflowBreach(answer, home, other);
      if (broken !== undefined) throw breach(about, broken, OVERFLOW_CONTRACT);
      return answer;
    },
  };
};

export const guardVictim: Guard<VictimPolicy> = (policy, about) => {
  requireMethod(policy, 'choose', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    choose(candidates, nowMs) {
      const choice = call(about, 'choose', VICTIM_CONTRACT, () => policy.choose(candidates, nowMs));
      const broken = victimBreach(choice, candidates);
      if (broken !== undefined) throw breach(about, broken, VICTIM_CONTRACT);
      return choice;
    },
  };
};

export const guardAcquisition: Guard<AcquisitionPolicy> = (policy, about) => {
  requireMethod(policy, 'choose', about);
  return {
    name: policy.name,
    ...memoryOf(policy, about),
    choose(options, nowMs) {
      const choice = call(about, 'choose', ACQUISITION_CONTRACT, () => policy.choose(options, nowMs));
      const broken = acquisitionBreach(choice, options);
      if (broken !== undefined) throw breach(about, broken, ACQUISITION_CONTRACT);
      return choice;
    },
  };
};
