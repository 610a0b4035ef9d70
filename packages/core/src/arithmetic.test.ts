import { expect, it } from 'vitest';
import { oddArithmetic } from './arithmetic.js';

it('the engine that runs these tests computes as the others do', () => {
  expect(oddArithmetic()).toBeUndefined();
});

it('another one is known by its name', () => {
  const { exp } = Math;
  Math.exp = (x) => exp(x) * (1 + 2 ** -52);
  try {
    expect(oddArithmetic()).toMatch(/^[0-9a-f]{8}$/);
  } finally {
    Math.exp = exp;
  }
});
