import { ConfigError } from '@sageserve/core';
import type { Catalogue } from './catalogue.js';
import { blamed, call, type Guard, type Origin } from './guards/breach.js';
import { guardForecaster } from './guards/forecaster-guard.js';
import { guardPerformance } from './guards/performance-guard.js';
import {
  guardAcquisition,
  guardBatchScheduler,
  guardInstanceRouter,
  guardOverflow,
  guardRegionRouter,
  guardRelease,
  guardVictim,
} from './guards/policy-guards.js';
import { guardStrategy } from './guards/strategy-guard.js';

/** What each kind of policy is called, and what stands between it and whoever calls it. */
const GUARDS: {
  readonly [K in keyof Catalogue]: { readonly noun: string; readonly guard: Guard<ReturnType<Catalogue[K][string]>> };
} = {
  regionRouters: { noun: 'region router', guard: guardRegionRouter },
  instanceRouters: { noun: 'instance router', guard: guardInstanceRouter },
  batchSchedulers: { noun: 'batch scheduler', guard: guardBatchScheduler },
  releasePolicies: { noun: 'release policy', guard: guardRelease },
  overflows: { noun: 'overflow policy', guard: guardOverflow },
  strategies: { noun: 'strategy', guard: guardStrategy },
  victims: { noun: 'victim policy', guard: guardVictim },
  acquisitions: { noun: 'acquisition policy', guard: guardAcquisition },
  performanceModels: { noun: 'performance model', guard: guardPerformance },
  forecasters: { noun: 'forecaster', guard: guardForecaster },
};

/**
 * Factories of a plug-in whose policies are held to their contracts at every call: what breaks one
 * throws `PolicyContractError` with the policy, the plug-in and its file, and the contract. A
 * policy keeps its `this`; members that its interface does not have are not seen.
 */
export function guarded<K extends keyof Catalogue>(kind: K, factories: Catalogue[K], origin: string): Catalogue[K] {
  const { noun, guard } = GUARDS[kind];
  return Object.fromEntries(
    Object.entries(factories).map(([name, factory]) => {
      const about: Origin = { policy: `${noun} "${name}"`, origin };
      const make = factory as (...args: readonly unknown[]) => ReturnType<Catalogue[K][string]>;
      return [
        name,
        (...args: readonly unknown[]) => {
          let made: ReturnType<Catalogue[K][string]>;
          try {
            made = make(...args);
          } catch (cause) {
            if (cause instanceof ConfigError) throw cause;
            throw blamed(
              cause,
              about,
              'its factory',
              'A factory takes options, and throws ConfigError for those that it does not take.',
            );
          }
          // What it is made of may throw when it is looked at.
          return call(about, 'its factory', 'A factory returns a plain object with its methods.', () =>
            guard(made, about),
          );
        },
      ];
    }),
  ) as unknown as Catalogue[K];
}
