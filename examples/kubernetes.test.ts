import { readdir, readFile } from 'node:fs/promises';
import { Job } from 'kubernetes-models/batch/v1';
import { Secret } from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

const FOLDER = new URL('kubernetes/', import.meta.url);
const KINDS = { Job, Secret } as const;

describe('Kubernetes manifests', async () => {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml'));

  it.each(files)('%s is valid by the Kubernetes API schema', async (name) => {
    for (const document of parseAllDocuments(await readFile(new URL(name, FOLDER), 'utf8'))) {
      const manifest = document.toJS() as { readonly kind: keyof typeof KINDS };
      expect(Object.keys(KINDS)).toContain(manifest.kind);
      new KINDS[manifest.kind](manifest as never).validate();
    }
  });

  it('would be refused with a field of another type, or without one that is needed', async () => {
    const manifest = parseAllDocuments(await readFile(new URL('sweep-workers.yaml', FOLDER), 'utf8'))[0]!.toJS() as {
      spec: Record<string, unknown>;
    };
    const { template: _template, ...rest } = manifest.spec;
    expect(() => new Job({ ...manifest, spec: { ...manifest.spec, parallelism: 'many' } } as never).validate()).toThrow(
      'parallelism',
    );
    expect(() => new Job({ ...manifest, spec: rest } as never).validate()).toThrow('template');
  });

  it('takes the queue from a secret, in the variable that the worker reads', async () => {
    const text = await readFile(new URL('sweep-workers.yaml', FOLDER), 'utf8');
    const job = parseAllDocuments(text)[0]!.toJS() as Job;
    const container = job.spec!.template.spec!.containers[0]!;
    expect(container.env).toEqual([
      { name: 'SAGESERVE_QUEUE', valueFrom: { secretKeyRef: { name: 'sageserve-queue', key: 'url' } } },
    ]);
    expect(JSON.stringify(container.command)).not.toContain('postgres:');
  });
});
