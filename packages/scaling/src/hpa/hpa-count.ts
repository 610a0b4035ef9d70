/** What a replica count is worked out from. */
export interface Replicas {
  /** What was asked for last: a deployment's `spec.replicas`. */
  readonly wanted: number;
  /** Those that are ready, of which the metric is known. */
  readonly ready: number;
  /** Those that are asked for and not ready. */
  readonly unready: number;
}

/**
 * Kubernetes' count for a mean over pods and its target: ready pods × ratio, rounded up. One that
 * is not ready counts as using nothing where the rest would ask for more, and not at all where they
 * would ask for less; within the tolerance, and where those that are not ready turn the direction,
 * what was asked for stays. Source: Kubernetes, "Horizontal Pod Autoscaling", Algorithm details,
 * and `replica_calculator.go`.
 */
export function countForMean(mean: number, target: number, replicas: Replicas, tolerance: number): number {
  const { wanted, ready, unready } = replicas;
  const ratio = mean / target;
  const asked = roundedUp(ratio * ready);
  if (!(unready > 0 && ratio > 1)) return isWithin(ratio, tolerance) ? wanted : asked;
  const damped = (ratio * ready) / (ready + unready);
  // Where it turns the direction, the most of the two is what was asked for.
  return isWithin(damped, tolerance) ? wanted : Math.max(wanted, asked);
}

/** A whole number that division has missed by a hair is that number. */
function roundedUp(count: number): number {
  return Math.ceil(count * (1 - 1e-12));
}

/**
 * Kubernetes' count for a sum over a workload and a target for each pod, as KEDA hands it on: the
 * sum ÷ target, rounded up; within the tolerance what was asked for stays. Whether pods are ready
 * is no matter.
 */
export function countForSum(sum: number, target: number, wanted: number, tolerance: number): number {
  const ratio = sum / (target * wanted);
  return wanted > 0 && isWithin(ratio, tolerance) ? wanted : roundedUp(sum / target);
}

function isWithin(ratio: number, tolerance: number): boolean {
  return ratio >= 1 - tolerance && ratio <= 1 + tolerance;
}
