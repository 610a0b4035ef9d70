import { fakeInstancePool, fakeRequest, instanceRouterConformance } from '@sageserve/testing';
import { describe, expect, it } from 'vitest';
import { createLeastOutstandingTokensRouter } from './least-outstanding-tokens.js';

describe('createLeastOutstandingTokensRouter', () => {
  for (const check of instanceRouterConformance(() => createLeastOutstandingTokensRouter())) it(check.name, check.run);

  it('joins the shortest queue in tokens, the first on a tie, never one that is not ready', () => {
    const route = (tokens: number[], ready = tokens.map(() => true)) =>
      createLeastOutstandingTokensRouter().route(
        fakeRequest(),
        fakeInstancePool(tokens.map((outstandingTokens, i) => ({ outstandingTokens, isReady: ready[i]! }))),
        0,
      );
    expect(route([30, 10, 20])).toBe(1);
    expect(route([10, 10])).toBe(0);
    expect(route([0, 50], [false, true])).toBe(1);
    expect(route([])).toBe(-1);
  });
});
