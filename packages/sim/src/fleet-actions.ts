import { ACQUISITION_WAYS, type AcquisitionWay } from '@sageserve/metrics';

/** What the fleet did, over the run. */
export interface FleetActions {
  scaleOut: number;
  scaleIn: number;
  /** Draining instances put back to work, which costs nothing. */
  resumed: number;
  /** Provisioning given up before it was ready. */
  cancelled: number;
  acquiredByWay: Record<AcquisitionWay, number>;
  /**
   * Instances that were wanted and not had: no GPU was left for them, or the policy took no way.
   */
  refused: number;
  /** Instances taken away by an outage or an eviction, donated ones included. */
  lost: number;
  /** Instances that an endpoint gave up and asked for again within ten minutes. */
  reversals: number;
}

/** Before anything was done. */
export function noActions(): FleetActions {
  return {
    scaleOut: 0,
    scaleIn: 0,
    resumed: 0,
    cancelled: 0,
    acquiredByWay: Object.fromEntries(ACQUISITION_WAYS.map((way) => [way, 0])) as Record<AcquisitionWay, number>,
    refused: 0,
    lost: 0,
    reversals: 0,
  };
}
