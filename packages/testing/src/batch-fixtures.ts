import {
  type Awaitable,
  type BatchItem,
  type BatchStore,
  type ItemLease,
  type LeasedItem,
  modelId,
  type NewBatch,
  SageServeError,
  type StoredBatch,
} from '@sageserve/core';
import { expect } from './conformance-case.js';

export const A = modelId('model-a');
export const B = modelId('model-b');
export const LEASE_MS = 1_000;
export const DEADLINE_MS = 100_000;

export const batch = (batchId: string, fields: Partial<NewBatch> = {}): NewBatch => ({
  batchId,
  tenant: 'tenant-a',
  deadlineAtMs: DEADLINE_MS,
  detail: `about ${batchId}`,
  ...fields,
});
export const item = (itemId: string, fields: Partial<BatchItem> = {}): BatchItem => ({
  itemId,
  modelId: A,
  promptTokens: 10,
  body: `body of ${itemId}`,
  ...fields,
});
export const items = (count: number): BatchItem[] => Array.from({ length: count }, (_, i) => item(`item-${i}`));

export const claim = async (store: BatchStore, most: number, nowMs: number): Promise<readonly LeasedItem[]> =>
  store.claim({ modelIds: [A, B], most, leaseMs: LEASE_MS }, nowMs);
export const complete = async (
  store: BatchStore,
  lease: ItemLease,
  nowMs: number,
  result = 'answer',
): Promise<string> => store.settle(lease, { status: 'completed', result }, nowMs);

/** Names of leased items, with their batches. */
export const names = (leased: readonly ItemLease[]): string =>
  leased.map(({ batchId, itemId }) => `${batchId}/${itemId}`).join(' ');

export async function rejection(promised: () => Awaitable<unknown>): Promise<unknown> {
  try {
    await promised();
    return undefined;
  } catch (error) {
    return error;
  }
}

export const isRefused = async (put: () => Awaitable<unknown>, code: string): Promise<boolean> => {
  const error = await rejection(put);
  return error instanceof SageServeError && error.code === code;
};

/** What a batch holds: its counts that are not 0, in words. */
export const countsOf = (stored: StoredBatch | undefined): string =>
  Object.entries(stored?.counts ?? { none: 1 })
    .filter(([, count]) => count !== 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');

export async function expectCounts(store: BatchStore, batchId: string, wanted: string): Promise<void> {
  const counted = countsOf(await store.get(batchId));
  expect(counted === wanted, `has ${counted} where it is ${wanted}`);
}
