import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { verifyArtifact } from './verify-artifact.js';
import { verifyForecast } from './verify-forecast.js';
import { verifyRoofline } from './verify-roofline.js';
import { verifyVllm } from './verify-vllm.js';

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));

describe.skipIf(!existsSync(shared))('golden data (skipped without ../shared)', () => {
  it('every request of the paper’s artifact is reproduced', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    expect(await verifyArtifact(`${shared}golden/artifact`)).toBe(true);
    log.mockRestore();
  });

  it('every method agrees with statsmodels, and edge cases hold', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    expect(await verifyForecast(`${shared}golden/forecast`)).toBe(true);
    log.mockRestore();
  });

  it('the roofline keeps its limit on measured serving points', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    expect(await verifyRoofline(`${shared}data/profiles`)).toBe(true);
    log.mockRestore();
  });

  it('a replay of a measured vLLM run keeps its limits', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    expect(await verifyVllm(`${shared}data/profiles/measured_vllm`)).toBe(true);
    log.mockRestore();
  });
});
