import { describe, expect, it } from 'vitest';
import { hasSecret, shownUrl, withoutSecrets } from './shown-url.js';

const SECRET_URLS = [
  'postgres://me:hush5ecret@db:5432/jobs',
  'postgres://me@db/jobs?password=hush5ecret',
  'postgres://me@db/jobs?sslmode=require&sslpassword=hush5ecret#x',
  'postgres://me:hush5ecret/ab@db/jobs',
  'postgres://me:ab#hush5ecret@db/jobs',
  'postgres://me:ab@hush5ecret@db/jobs',
  'postgres://me:ab?hush5ecret@db/jobs',
  'postgres://me:%68ush5ecret@db/jobs',
  'postgres://me:ab:hush5ecret@db/jobs',
  'postgres://me@db/jobs&password=hush5ecret',
  'postgres://me@db/jobs;password=hush5ecret',
  'postgres://me@db/jobs,password=hush5ecret',
  'postgres://me@db/jobs password=hush5ecret',
  'postgres://me@db/jobs?password = hush5ecret',
  'host=db user=me password=hush5ecret',
  'postgres://hush 5ecret:hush5ecret@db:port/jobs',
];

describe('the address of a queue', () => {
  it.each(SECRET_URLS)('is shown without what may be part of a password: %s', (url) => {
    expect(hasSecret(url)).toBe(true);
    expect(shownUrl(url)).not.toMatch(/hush5ecret|68ush5ecret/);
    for (const said of [`can't reach ${url}`, 'password "hush5ecret" is wrong', 'getaddrinfo ENOTFOUND hush5ecret'])
      expect(withoutSecrets(said, url)).not.toContain('hush5ecret');
  });

  it('is shown whole where it has none', () => {
    for (const url of ['postgres://me@db:5432/jobs', 'postgres://db/jobs']) {
      expect(shownUrl(url)).toBe(url);
      expect(hasSecret(url)).toBe(false);
    }
    expect(shownUrl('postgres://me:pass@db:5432/jobs')).toBe('postgres://me@db:5432/jobs');
    expect(shownUrl('no address')).toBe('the database of the queue');
  });
});
