import { SageServeError } from '@sageserve/core';

/** What a store throws where somebody with a newer fence has saved. */
export function fencedError(key: string, fence: number | undefined, newest: number | undefined): SageServeError {
  const by = newest === undefined ? 'a newer one' : `fence ${newest}`;
  return new SageServeError('ERR_FENCED', `${key} can't be saved under fence ${fence}: ${by} has saved it`, {
    hint: 'Another controller has taken over; this one is to stop.',
  });
}
