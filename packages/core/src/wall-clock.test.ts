import { describe, expect, it } from 'vitest';
import { Pacer } from './wall-clock.js';

describe('Pacer', () => {
  it('lets a signal end a loop that computes without a pause', async () => {
    const end = new AbortController();
    setTimeout(() => end.abort(new Error('enough')), 1);
    const pacer = new Pacer();
    let steps = 0;
    const loop = async () => {
      for (;;) {
        steps++;
        if (pacer.due) await pacer.turn(end.signal);
      }
    };
    await expect(loop()).rejects.toThrow('enough');
    expect(steps).toBeGreaterThan(31);
  });

  it('asks for no turn where it was given one just now', async () => {
    const pacer = new Pacer();
    await pacer.turn();
    expect(pacer.late).toBe(false);
  });
});
