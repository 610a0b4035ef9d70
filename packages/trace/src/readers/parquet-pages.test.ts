import type { ColumnMetaData } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { checkPages, type Levels } from './parquet-pages.js';
import { readThrift } from './thrift.js';

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
const i32 = (delta: number, value: number): number[] => [(delta << 4) | 5, ...varint(2 * value)];
/** A page of version 1: the values are taken as they are. */
const page = (count: number, encoding: number, body: readonly number[], encodingBytes = i32(1, encoding)): number[] => [
  ...i32(1, 0),
  ...i32(1, body.length),
  ...i32(1, body.length),
  0x2c,
  ...i32(1, count),
  ...encodingBytes,
  ...i32(1, 3),
  ...i32(1, 3),
  0,
  0,
  ...body,
];
const prefixed = (runs: readonly number[]): number[] => [runs.length, 0, 0, 0, ...runs];
const FLAT: Levels = { repetition: 0, definition: 1, nested: false };
const LIST: Levels = { repetition: 1, definition: 3, nested: true };
const check = (
  bytes: readonly number[],
  rows: number,
  levels = FLAT,
  type: ColumnMetaData['type'] = 'BYTE_ARRAY',
  values = rows,
): unknown =>
  checkPages({
    bytes: Uint8Array.from([...bytes, 0]),
    meta: { type, num_values: BigInt(values) } as ColumnMetaData,
    rows,
    levels,
    decompress: undefined,
  });

describe('pages of a column', () => {
  // Ten rows of which six have a value: the levels in a run of four and a run of packed bits, and
  // indices for six.
  const levels = prefixed([2 * 4, 0, 3, 0b00111111]);
  const six = [2, 2 * 6, 1];

  it('have as many values as levels say, in runs and in packed bits', () => {
    expect(check(page(10, 8, [...levels, ...six]), 10)).toEqual([]);
    // One value less than the levels say, and levels that say more.
    expect(() => check(page(10, 8, [...levels, 2, 2 * 5, 1]), 10)).toThrow('runs end before the values do');
    expect(() => check(page(10, 8, [...prefixed([2 * 3, 0, 3, 0b01111111]), ...six]), 10)).toThrow(
      'runs end before the values do',
    );
    // Bits past the last row are none of them.
    expect(check(page(10, 8, [...prefixed([2 * 4, 0, 3, 0b11111111]), ...six]), 10)).toEqual([]);
    expect(check(page(10, 8, [...prefixed([2 * 10, 0]), 1]), 10)).toEqual([]);
  });

  it('may have indices of no bits', () => {
    expect(check(page(3, 8, [...prefixed([2 * 3, 1]), 0]), 3)).toEqual([]);
  });

  it('count levels of two bits across the bytes', () => {
    // Four levels of 3, 1, 0 and 3 in one byte: two are present.
    const list = [...prefixed([2 * 4, 0]), ...prefixed([3, 0b11000111, 0])];
    expect(check(page(4, 8, [...list, 2, 2 * 2, 1]), 4, LIST)).toEqual([]);
    expect(() => check(page(4, 8, [...list, 2, 2, 1]), 4, LIST)).toThrow('runs end before the values do');
  });

  it('are looked at to the end of a column within a group, whatever is said of its values', () => {
    const bomb = page(4, 8, [...prefixed([2 * 4, 0]), ...prefixed([...varint(2 * (2 ** 31 - 1)), 0]), 1, 2, 1]);
    expect(() => check(bomb, 0, LIST, 'BYTE_ARRAY', 0)).toThrow('a run is longer than the values');
  });

  it('are refused where a decoder would take their header for another', () => {
    const body = [...prefixed([2, 1]), 1, ...varint(2 * (2 ** 31 - 1)), 1];
    // 2³⁵ more in the number of the encoding is lost by a reader of 32 bits.
    expect(() => check(page(1, 0, body, [0x15, 0x90, 0x80, 0x80, 0x80, 0x80, 0x02]), 1)).toThrow('more than 32 bits');
    expect(() => check(page(1, 4, body), 1)).toThrow('there is no encoding 4');
    expect(() => check(page(1, 77, body), 1)).toThrow('there is no encoding 77');
    expect(() => check(page(1, 8, [...prefixed([2, 1]), 1, 2, 1]), 1, FLAT, 'BOOLEAN')).toThrow(
      'booleans are in a dictionary',
    );
    // The same field again, of which a map keeps the last.
    expect(() => readThrift(Uint8Array.from([...i32(1, 8), 0x05, 2, ...varint(0), 0]), 0)).toThrow(
      'field 1 of a struct stands twice',
    );
    // A number where yes or no is meant.
    expect(readThrift(Uint8Array.from([...i32(7, 0), 0]), 0).flags.size).toBe(0);
    expect(readThrift(Uint8Array.from([0x72, 0]), 0).flags.get(7)).toBe(false);
  });

  it('of split bytes have all of them', () => {
    expect(check(page(2, 9, [...prefixed([4, 1]), ...Array<number>(8).fill(0)]), 2, FLAT, 'INT32')).toEqual([]);
    expect(() => check(page(2, 9, [...prefixed([4, 1]), ...Array<number>(7).fill(0)]), 2, FLAT, 'INT32')).toThrow(
      'ends before its values',
    );
    expect(() =>
      check(page(2, 9, [...prefixed([4, 1]), ...Array<number>(99).fill(0)]), 2, FLAT, 'FIXED_LEN_BYTE_ARRAY'),
    ).toThrow('ends before its values');
  });

  it('of texts that begin as the one before have that much of it, and no more than a page may hold', () => {
    const zigzag = (value: number): number[] => varint(value < 0 ? -2 * value - 1 : 2 * value);
    // A block of 128 in four parts of 32, of which the first holds all.
    const deltas = (count: number, first: number, least: number, bits: number, packed: readonly number[]): number[] => [
      ...varint(128),
      4,
      ...varint(count),
      ...zigzag(first),
      ...zigzag(least),
      bits,
      0,
      0,
      0,
      ...Array.from({ length: 4 * bits }, (_, i) => packed[i] ?? 0),
    ];
    const two = (count: number, body: readonly number[]): number[] => [
      ...i32(1, 3),
      ...i32(1, body.length),
      ...i32(1, body.length),
      0x5c,
      ...i32(1, count),
      ...i32(1, 0),
      ...i32(1, count),
      ...i32(1, 7),
      ...i32(1, 0),
      ...i32(1, 0),
      0,
      0,
      ...body,
    ];
    const REQUIRED: Levels = { repetition: 0, definition: 0, nested: false };
    const texts = (shared: readonly number[], own: readonly number[], bytes: string): unknown =>
      check(two(3, [...shared, ...own, ...Buffer.from(bytes)]), 3, REQUIRED);
    // aa, aab, ab: they share 0, 2 and 1, and have 2, 1 and 1 of their own.
    const [shared, own] = [deltas(3, 0, -1, 2, [0b0011]), deltas(3, 2, -1, 1, [0b10])];
    expect(texts(shared, own, 'aabb')).toEqual([]);
    expect(() => texts(shared, own, 'aab')).toThrow('ends before its values');
    expect(() => texts(deltas(3, 0, -1, 2, [0b0111]), own, 'aabb')).not.toThrow();
    expect(() => texts(deltas(3, 0, 0, 2, [0b0011]), own, 'aabb')).toThrow(
      'shares more with the one before than that has',
    );
    expect(() => texts(deltas(3, -1, 0, 2, []), own, 'aabb')).toThrow('shares more');
    expect(() => texts(shared, deltas(3, 2, -3, 1, []), 'aabb')).toThrow('shares more');
    expect(() => check(page(3, 7, [...prefixed([6, 1]), ...shared, ...own, ...Buffer.from('aabb')]), 3)).toThrow(
      'in pages of version 2 alone',
    );
    // Each of many texts has all of the one before: a megabyte stands for gigabytes.
    const many = 40_000;
    const blocks = (value: number): number[] => [
      ...varint(128),
      4,
      ...varint(many),
      ...zigzag(value),
      ...Array.from({ length: Math.ceil((many - 1) / 128) }, () => [0, 0, 0, 0, 0]).flat(),
    ];
    const all = [
      ...varint(128),
      4,
      ...varint(many),
      ...zigzag(0),
      ...Array.from({ length: Math.ceil((many - 1) / 128) }, () => [2, 0, 0, 0, 0]).flat(),
    ];
    expect(() => check(two(many, [...all, ...blocks(1), ...Array<number>(many).fill(97)]), many, REQUIRED)).toThrow(
      'the texts of a page are 800020000 bytes',
    );
  });

  it('have no lists within lists without an end', () => {
    expect(() => readThrift(Uint8Array.from([0x19, ...Array<number>(5_000).fill(0x19), 0]), 0)).toThrow(
      'nested too deeply',
    );
  });
});
