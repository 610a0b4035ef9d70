import { PlacementGrid } from '@sageserve/core';

/**
 * A problem or solution that came from another thread, with its grids: of those, cloning leaves the
 * columns and no methods. What is not a grid, a list or a record stays what it is.
 */
export function reviveGrids<T>(cloned: T): T {
  return revive(cloned) as T;
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const { models, regions, skus, values } = value as Partial<PlacementGrid>;
  if (typeof models === 'number' && values instanceof Float64Array)
    return new PlacementGrid(models, regions!, skus!, values);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, revive(field)]));
}
