import { ConfigError, SageServeError } from '@sageserve/core';
import { describe, expect, it } from 'vitest';
import { packThrown, unpackThrown } from './thrown.js';

describe('what was thrown in another thread', () => {
  const across = (thrown: unknown): unknown => unpackThrown(structuredClone(packThrown(thrown)));

  it('is an error of SageServe with its class, fields and causes', () => {
    const error = across(new ConfigError('a.b', 'is odd', { hint: 'mend it', cause: new ConfigError('c', 'd') }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toBeInstanceOf(SageServeError);
    expect(error).toMatchObject({ code: 'ERR_CONFIG', path: 'a.b', hint: 'mend it', message: 'a.b: is odd' });
    expect((error as Error).cause).toBeInstanceOf(ConfigError);
  });

  it('is what it was where it is no error of SageServe', () => {
    const range = across(new RangeError('odd', { cause: 5 }));
    expect(range).toBeInstanceOf(RangeError);
    expect(range).toMatchObject({ message: 'odd', name: 'RangeError', cause: 5 });
    expect(across(Object.assign(new Error('with'), { code: 'E', call: () => 0 }))).toMatchObject({ code: 'E' });
    expect([null, 5, 'text', { a: 1 }].map(across)).toEqual([null, 5, 'text', { a: 1 }]);
    expect(across(() => 0)).toMatchObject({ message: '() => 0 was thrown' });
    const circle = new Error('circle');
    circle.cause = circle;
    expect(across(circle)).toMatchObject({ message: 'circle' });
  });
});
