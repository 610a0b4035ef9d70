import { describe, expect, it } from 'vitest';
import { PlacementGrid } from './placement.js';

describe('PlacementGrid', () => {
  it('keeps model × region × SKU apart', () => {
    const grid = new PlacementGrid(2, 3, 4);
    let n = 0;
    for (let m = 0; m < 2; m++) for (let r = 0; r < 3; r++) for (let k = 0; k < 4; k++) grid.set(m, r, k, n++);
    expect([...grid.values]).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(grid.at(1, 2, 3)).toBe(23);
  });

  it('refuses an index outside and values of the wrong length', () => {
    expect(() => new PlacementGrid(1, 1, 1).at(0, 1, 0)).toThrow('(0, 1, 0) is outside a grid of 1 × 1 × 1');
    expect(() => new PlacementGrid(2, 2, 2, new Float64Array(7))).toThrow('needs 8 values, not 7');
  });
});
