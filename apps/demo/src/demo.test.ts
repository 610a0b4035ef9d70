import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

// What `npm start` runs is the built demo: `npm test` builds it first.
const demo = fileURLToPath(new URL('../dist/demo.js', import.meta.url));

describe('the demo', () => {
  it('prints the comparison and the journal’s highlights', () => {
    const { status, stdout } = spawnSync(process.execPath, [demo, '0.5'], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ +reactive +sage$/m);
    expect(stdout).toMatch(/^ +GPU-hours +\d+ +\d+$/m);
    expect(stdout).toMatch(/NIW: deadlines missed +0 +0$/m);
    expect(stdout).toMatch(/The journal tells of 13 plans and \d+ decisions/);
    expect(stdout).toMatch(/day 1, \d\d:\d\d {2}\w+\/[\w.-]+\/h100-80gb: \d+ → \d+, /);
    expect(stdout).not.toContain('NaN');
  });

  it('refuses a length that is none', () => {
    const { status, stderr } = spawnSync(process.execPath, [demo, 'week'], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('usage: demo [days, up to 28], not week');
  });
});
