import { describe, expect, it } from 'vitest';
import { look } from './ink.js';
import { strategyInks } from '../strategy-inks.js';

describe('how strategies are drawn', () => {
  it('is strongest for ours, and for nobody who is merely called alike', () => {
    const inks = strategyInks(['sage-lite', 'static', 'sage', 'sage (headroom 0.2)']);
    expect(inks.get('sage')).toEqual({ ink: 0, strong: true });
    expect(inks.get('sage (headroom 0.2)')).toMatchObject({ strong: true });
    expect(inks.get('sage-lite')).toEqual({ ink: 1 });
  });

  it('tells as many apart as there are, by colour and without', () => {
    const names = Array.from({ length: 14 }, (_, i) => (i === 3 ? 'sage' : `s${i}`));
    const looks = [...strategyInks(names).values()].map((drawn, i) => look(drawn, i));
    expect(new Set(looks.map(({ colour }) => colour)).size).toBe(14);
    expect(new Set(looks.map(({ dash }) => dash.join())).size).toBe(14);
    // A whole line is ours alone, and so is black.
    const many = Array.from({ length: 40 }, (_, ink) => look({ ink: ink + 1 }, 0));
    expect(many.some(({ colour, dash }) => dash.length === 0 || colour === look({ ink: 0 }, 0).colour)).toBe(false);
  });
});
