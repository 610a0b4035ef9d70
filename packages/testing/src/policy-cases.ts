import { createRng, type Rng, type SavedState, type Stateful, stateFromText, stateText } from '@sageserve/core';
import { type ConformanceCase, expect } from './conformance-case.js';

export function named(create: () => { readonly name: string }): ConformanceCase {
  return {
    name: 'has a name',
    run() {
      expect(create().name.length > 0, 'the name is empty');
    },
  };
}

/** `ask` asks a policy about what `make` makes. */
export function remembered<P extends Partial<Stateful>, V>(
  create: () => P,
  make: (rng: Rng) => V,
  ask: (policy: P, view: V, nowMs: number) => unknown,
): ConformanceCase {
  return {
    name: 'goes on from what it saved as one that ran on; what remembers something saves it',
    run() {
      for (let splitAt = 3; splitAt < 30; splitAt += 7) {
        const rng = createRng('acts-memory');
        const whole = create();
        let restored: P | undefined;
        for (let step = 0; step < 40; step++) {
          if (step === splitAt) {
            restored = create();
            const saved = whole.save?.();
            if (saved !== undefined) restored.restore!(stateFromText(stateText(saved)) as SavedState);
          }
          const view = make(rng);
          const choice = ask(whole, view, step * 20_000);
          if (restored === undefined) continue;
          expect(
            ask(restored, view, step * 20_000) === choice,
            whole.save === undefined ? 'remembers something and has no save()' : 'decides otherwise after a restart',
          );
        }
      }
    },
  };
}
