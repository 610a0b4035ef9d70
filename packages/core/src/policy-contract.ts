import type { AcquisitionView } from './acquisition.js';
import { type FleetSnapshot, indexOfEndpoint } from './fleet.js';
import type { ScalingDecision } from './scaling.js';
import type { EndpointLoadView } from './scheduling.js';
import { isThenable } from './units.js';
import type { VictimView } from './victim.js';

/** What a policy answered, in words: for errors that say which contract was broken. */
export function answered(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (isThenable(value)) return 'a promise, and it must answer at once';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 40))}`;
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}

/** What the contract of `ScalingPolicy` asks for. */
export const SCALING_CONTRACT =
  'decide() returns a list at once, with endpoints of the snapshot, each at most once, whole numbers of ' +
  'instances within minInstances and maxInstances, and a reason.';

/**
 * How decisions break the contract of `ScalingPolicy`, in words that follow the policy's name;
 * undefined where they keep it.
 */
export function scalingBreach(decisions: unknown, fleet: FleetSnapshot): string | undefined {
  if (!Array.isArray(decisions)) return `answered with ${answered(decisions)}`;
  // Decisions come in the snapshot's order, of each endpoint once; where they do not, what was seen
  // is written down.
  let last = -1;
  let seen: Set<unknown> | undefined;
  const list = decisions as readonly (Partial<ScalingDecision> | null | undefined)[];
  for (let d = 0; d < list.length; d++) {
    const decision = list[d];
    if (typeof decision !== 'object' || decision === null) return `decided ${answered(decision)}`;
    const { endpointId, targetInstances, reason } = decision;
    const at = indexOfEndpoint(fleet, endpointId!, last + 1);
    const endpoint = fleet.endpoints[at];
    if (endpoint === undefined) return `decided for ${answered(endpointId)}, which is no endpoint of the fleet`;
    if (at <= last) seen ??= new Set(list.slice(0, d).map((one) => one?.endpointId));
    if (seen?.has(endpointId) === true) return `decided twice for ${endpointId}`;
    seen?.add(endpointId);
    last = at;
    const { minInstances, maxInstances } = endpoint;
    if (!(Number.isInteger(targetInstances) && targetInstances! >= minInstances && targetInstances! <= maxInstances))
      return (
        `wants ${answered(targetInstances)} as the number of instances of ${endpointId}, which has from ` +
        `${minInstances} to ${maxInstances}`
      );
    if (typeof reason !== 'string' || reason === '') return `gives no reason for ${endpointId}`;
  }
  return undefined;
}

/** What the contract of `VictimPolicy` asks for. */
export const VICTIM_CONTRACT = 'choose() returns at once the index of one of the candidates.';

/** How a choice breaks the contract of `VictimPolicy`; undefined where it keeps it. */
export function victimBreach(choice: unknown, { count, endpointId }: VictimView): string | undefined {
  return isIndex(choice, count)
    ? undefined
    : `answered with ${answered(choice)} where ${endpointId} has ${count} to choose from`;
}

/** What the contract of `AcquisitionPolicy` asks for. */
export const ACQUISITION_CONTRACT =
  'choose() returns at once the index of one of the ways, or -1 to have none of them.';

/** How a choice breaks the contract of `AcquisitionPolicy`; undefined where it keeps it. */
export function acquisitionBreach(choice: unknown, { count, endpointId }: AcquisitionView): string | undefined {
  return choice === -1 || isIndex(choice, count)
    ? undefined
    : `answered with ${answered(choice)} where ${endpointId} has ${count} to choose from`;
}

/** What the contract of `OverflowPolicy` asks for. */
export const OVERFLOW_CONTRACT = 'overflows() returns at once true or false.';

/** How an answer breaks the contract of `OverflowPolicy`; undefined where it keeps it. */
export function overflowBreach(
  answer: unknown,
  home: Pick<EndpointLoadView, 'key'>,
  other: Pick<EndpointLoadView, 'key'>,
): string | undefined {
  return typeof answer === 'boolean'
    ? undefined
    : `answered with ${answered(answer)} where ${home.key} may pass a request on to ${other.key}`;
}

function isIndex(choice: unknown, count: number): boolean {
  return Number.isInteger(choice) && (choice as number) >= 0 && (choice as number) < count;
}
