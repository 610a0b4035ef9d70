import type { ColumnMetaData, SchemaElement } from 'hyparquet';
import { MalformedBytes, readThrift, readVarint, readZigZag, type ThriftStruct } from './thrift.js';

/**
 * Values of a page at most: most writers make pages of up to a million. What is larger is not read,
 * since a few wrong bytes can ask for any amount of memory.
 */
const MOST_VALUES = 1 << 23;
const MOST_PAGE_BYTES = 1 << 28;
/**
 * Runs may go beyond the values that there are: a group of bits is filled up, and some writers add
 * an empty block.
 */
const RUN_SLACK = 512;
const MOST_MINIBLOCKS = 1_024;

const DATA_PAGE = 0;
const INDEX_PAGE = 1;
const DICTIONARY_PAGE = 2;
const DATA_PAGE_V2 = 3;

const PLAIN = 0;
const PLAIN_DICTIONARY = 2;
const RLE = 3;
const DELTA_BINARY_PACKED = 5;
const DELTA_LENGTH_BYTE_ARRAY = 6;
const DELTA_BYTE_ARRAY = 7;
const RLE_DICTIONARY = 8;
const BYTE_STREAM_SPLIT = 9;
const SPLIT_BYTES: Partial<Record<ColumnMetaData['type'], number>> = { INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8 };

/** A column chunk as it lies in the file, and what is known of its place in the schema. */
export interface ColumnChunkBytes {
  readonly bytes: Uint8Array;
  readonly meta: ColumnMetaData;
  readonly rows: number;
  readonly levels: Levels;
  /** What unpacks its pages; undefined where they are not packed. */
  readonly decompress: ((bytes: Uint8Array, plainBytes: number) => Uint8Array) | undefined;
}

export interface Levels {
  readonly repetition: number;
  readonly definition: number;
  /** Whether the column lies below a group, which is when pages have repetition levels at all. */
  readonly nested: boolean;
}

/** A page that has passed: what it was packed as, and what it holds. */
export interface CheckedPage {
  readonly packed: Uint8Array;
  readonly plain: Uint8Array;
}

/** Levels of a column by the schema's elements, which stand in depth-first order. */
export function levelsOf(schema: readonly SchemaElement[], path: readonly string[]): Levels {
  let at = 0;
  let repetition = 0;
  let definition = 0;
  for (const name of path) {
    let child = at + 1;
    for (let left = schema[at]?.num_children ?? 0; ; left--) {
      if (left <= 0 || schema[child] === undefined)
        throw new MalformedBytes(`the schema has no column ${path.join('.')}`);
      if (schema[child].name === name) break;
      child = afterSubtree(schema, child);
    }
    at = child;
    if (schema[at].repetition_type === 'REPEATED') repetition++;
    if (schema[at].repetition_type !== 'REQUIRED') definition++;
  }
  return { repetition, definition, nested: path.length > 1 || repetition > 0 };
}

function afterSubtree(schema: readonly SchemaElement[], at: number): number {
  let open = 1;
  let next = at;
  // Every element is passed once: a wrong number of children ends with the schema.
  while (open > 0 && next < schema.length) open += (schema[next++].num_children ?? 0) - 1;
  return next;
}

/**
 * Checks every page of a column chunk as far as a decoder depends on it that checks nothing: sizes,
 * counts, levels, runs and blocks. Returns the pages that are packed, unpacked. Throws
 * `MalformedBytes` with what is wrong. After it a decoder may still find values that make no sense,
 * but it ends, and takes no more memory than the pages have values.
 */
export function checkPages({ bytes, meta, rows, levels, decompress }: ColumnChunkBytes): CheckedPage[] {
  const checked: CheckedPage[] = [];
  const plainOf = (packed: Uint8Array, plainBytes: number): Uint8Array => {
    if (decompress === undefined) return packed;
    const plain = decompress(packed, plainBytes);
    if (plain.length !== plainBytes)
      throw new MalformedBytes(`a page of ${plainBytes} bytes has ${plain.length} when unpacked`);
    checked.push({ packed, plain });
    return plain;
  };
  let values = 0;
  let at = 0;
  // The decoder goes on to the end of a column within a group, and takes of others as many values
  // as there are rows.
  while (at < bytes.length - 1 && (levels.nested || values < rows)) {
    const header = readThrift(bytes, at);
    const type = number(header, 1);
    const plainBytes = number(header, 2);
    const packedBytes = number(header, 3);
    if (!(packedBytes >= 0 && header.end + packedBytes <= bytes.length))
      throw new MalformedBytes('a page is longer than its column');
    if (!(plainBytes >= 0 && plainBytes <= MOST_PAGE_BYTES))
      throw new MalformedBytes(`a page says that it holds ${plainBytes} bytes`);
    const body = bytes.subarray(header.end, header.end + packedBytes);
    at = header.end + packedBytes;
    if (type === INDEX_PAGE) throw new MalformedBytes('an index lies among its pages');
    if (type === DICTIONARY_PAGE) {
      countOf(header, 7);
      plainOf(body, plainBytes);
    } else if (type === DATA_PAGE) {
      const about = struct(header, 5);
      const count = countOf(header, 5);
      values += count;
      checkDataPage(plainOf(body, plainBytes), count, number(about, 2), meta, levels);
    } else if (type === DATA_PAGE_V2) {
      const about = struct(header, 8);
      const count = countOf(header, 8);
      values += count;
      checkDataPageV2(body, plainBytes, about, count, meta, levels, plainOf);
    } else throw new MalformedBytes(`there is no kind ${type} of pages`);
  }
  if (values !== Number(meta.num_values) || (levels.repetition === 0 && values !== rows))
    throw new MalformedBytes(
      `it has ${values} values, not ${levels.repetition === 0 ? rows : Number(meta.num_values)}`,
    );
  return checked;
}

function checkDataPage(
  page: Uint8Array,
  count: number,
  encoding: number,
  { type }: ColumnMetaData,
  levels: Levels,
): void {
  let at = 0;
  let present = count;
  if (levels.nested && levels.repetition > 0) at = checkPrefixedRuns(page, at, bitsOf(levels.repetition), count).end;
  // The count of a page is that of its levels: what is null has no value after them.
  if (levels.definition > 0)
    ({ end: at, equal: present } = checkPrefixedRuns(page, at, bitsOf(levels.definition), count, levels.definition));
  // The decoder makes booleans of runs, and takes indices of no bits for nothing but zeros.
  if (type === 'BOOLEAN' && (encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY))
    throw new MalformedBytes('booleans are in a dictionary');
  if ((encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY) && page[at] === 0) return;
  if (encoding === DELTA_BYTE_ARRAY)
    throw new MalformedBytes(
      'its encoding is DELTA_BYTE_ARRAY, which is read in pages of version 2 alone: write PLAIN or dictionaries',
    );
  checkValues(page, at, present, encoding, type);
}

function checkDataPageV2(
  body: Uint8Array,
  plainBytes: number,
  about: ThriftStruct,
  count: number,
  meta: ColumnMetaData,
  levels: Levels,
  plainOf: (packed: Uint8Array, plainBytes: number) => Uint8Array,
): void {
  const nulls = number(about, 2);
  const [definitionBytes, repetitionBytes] = [number(about, 5), number(about, 6)];
  if (!(nulls >= 0 && nulls <= count))
    throw new MalformedBytes(`a page says that ${nulls} of its ${count} values are none`);
  if (!(
    definitionBytes >= 0 &&
    repetitionBytes >= 0 &&
    definitionBytes + repetitionBytes <= Math.min(body.length, plainBytes)
  ))
    throw new MalformedBytes('the levels of a page are longer than the page');
  if (levels.repetition > 0) checkRuns(body, 0, repetitionBytes, bitsOf(levels.repetition), count);
  if (levels.definition > 0)
    checkRuns(body, repetitionBytes, repetitionBytes + definitionBytes, bitsOf(levels.definition), count);
  const levelBytes = definitionBytes + repetitionBytes;
  // A decoder takes what comes after the levels that it knows of.
  const from = levels.definition > 0 ? levelBytes : repetitionBytes;
  const rest = body.subarray(from);
  const plain = about.flags.get(7) === false ? rest : plainOf(rest, plainBytes - levelBytes);
  checkValues(plain, 0, count - nulls, number(about, 4), meta.type);
}

/** The part of a page after its levels. */
function checkValues(
  page: Uint8Array,
  at: number,
  count: number,
  encoding: number,
  type: ColumnMetaData['type'],
): void {
  switch (encoding) {
    case PLAIN_DICTIONARY:
    case RLE_DICTIONARY: {
      if (count === 0) return;
      if (at >= page.length) throw new MalformedBytes('a page ends before its values');
      const bits = page[at];
      if (bits > 32) throw new MalformedBytes(`a page has indices of ${bits} bits`);
      checkRuns(page, at + 1, page.length, bits, count);
      return;
    }
    case RLE:
      if (type !== 'BOOLEAN') throw new MalformedBytes('runs stand for values that are no booleans');
      if (count > 0) checkPrefixedRuns(page, at, 1, count);
      return;
    case DELTA_BINARY_PACKED:
    case DELTA_LENGTH_BYTE_ARRAY:
      checkDeltas(page, at, count);
      return;
    case DELTA_BYTE_ARRAY:
      checkPrefixes(page, at, count);
      return;
    case BYTE_STREAM_SPLIT:
      if (at + count * (SPLIT_BYTES[type] ?? Infinity) > page.length)
        throw new MalformedBytes('a page ends before its values');
      return;
    case PLAIN:
      // It takes what it needs from the page, and that ends where it ends.
      return;
    default:
      throw new MalformedBytes(`there is no encoding ${encoding}`);
  }
}

/**
 * Runs after their length in four bytes. Returns where they end, and how many of the values equal
 * `wanted`.
 */
function checkPrefixedRuns(
  page: Uint8Array,
  at: number,
  bits: number,
  count: number,
  wanted?: number,
): { end: number; equal: number } {
  if (at + 4 > page.length) throw new MalformedBytes('a page ends before its levels');
  const length = page[at] + page[at + 1] * 0x100 + page[at + 2] * 0x10000 + page[at + 3] * 0x1000000;
  const end = at + 4 + length;
  if (end > page.length) throw new MalformedBytes('the levels of a page are longer than the page');
  return { end, equal: checkRuns(page, at + 4, end, bits, count, wanted) };
}

/**
 * Runs of the hybrid of run lengths and packed bits: none is longer than the values that there are,
 * and all lie within the page. Returns how many of the values equal `wanted`.
 */
function checkRuns(page: Uint8Array, from: number, end: number, bits: number, count: number, wanted?: number): number {
  let at = from;
  let equal = 0;
  for (let seen = 0; seen < count;) {
    if (at >= end) throw new MalformedBytes('runs end before the values do');
    const [head, start] = readVarint(page, at);
    const length = head % 2 === 1 ? ((head - 1) / 2) * 8 : head / 2;
    const bytes = head % 2 === 1 ? (length / 8) * bits : (bits + 7) >> 3;
    if (seen + length > count + RUN_SLACK) throw new MalformedBytes('a run is longer than the values');
    at = start + bytes;
    // The last group of bits need not be whole.
    if (at > end && !(head % 2 === 1 && seen + length >= count))
      throw new MalformedBytes('a run is longer than the page');
    if (wanted !== undefined)
      equal +=
        head % 2 === 1
          ? countPacked(page, start, bits, Math.min(length, count - seen), wanted)
          : countRun(page, start, bits, Math.min(length, count - seen), wanted);
    seen += length;
  }
  return equal;
}

function countRun(page: Uint8Array, at: number, bits: number, length: number, wanted: number): number {
  let value = 0;
  for (let i = (bits + 7) >> 3; i-- > 0;) value = value * 256 + page[at + i];
  return value === wanted ? length : 0;
}

/** Levels have few bits: each lies within two bytes. */
function countPacked(page: Uint8Array, at: number, bits: number, length: number, wanted: number): number {
  const mask = (1 << bits) - 1;
  let equal = 0;
  for (let i = 0, bit = 8 * at; i < length; i++, bit += bits) {
    const byte = bit >> 3;
    if ((((page[byte] | (page[byte + 1] << 8)) >> (bit & 7)) & mask) === wanted) equal++;
  }
  return equal;
}

/**
 * Texts that begin as the one before: how much of that, how much of their own, and that itself. A
 * page of a few bytes can stand for texts without an end.
 */
function checkPrefixes(page: Uint8Array, from: number, count: number): void {
  const shared: number[] = [];
  const own: number[] = [];
  const at = checkDeltas(page, checkDeltas(page, from, count, shared), count, own);
  let last = 0;
  let ownBytes = 0;
  let bytes = 0;
  for (const [i, length] of own.entries()) {
    const prefix = shared[i];
    if (!(length >= 0 && prefix >= 0 && prefix <= last))
      throw new MalformedBytes('a text shares more with the one before than that has');
    last = prefix + length;
    ownBytes += length;
    bytes += last;
  }
  if (at + ownBytes > page.length) throw new MalformedBytes('a page ends before its values');
  if (bytes > MOST_PAGE_BYTES) throw new MalformedBytes(`the texts of a page are ${bytes} bytes`);
}

/**
 * The blocks of delta encoding. Returns where they end; `into` is given the numbers, of 32 bits.
 */
function checkDeltas(page: Uint8Array, from: number, count: number, into?: number[]): number {
  if (count === 0) return from;
  const [blockValues, second] = readVarint(page, from);
  const [miniblocks, third] = readVarint(page, second);
  const perMiniblock = blockValues / miniblocks;
  if (!(
    miniblocks >= 1 &&
    miniblocks <= MOST_MINIBLOCKS &&
    perMiniblock >= 8 &&
    perMiniblock % 8 === 0 &&
    blockValues <= MOST_VALUES
  ))
    throw new MalformedBytes(`blocks of ${blockValues} values in ${miniblocks} parts`);
  let [, at] = readVarint(page, third);
  let value: number;
  [value, at] = readZigZag(page, at);
  into?.push(value);
  for (let seen = 1; seen < count;) {
    let least: number;
    [least, at] = readZigZag(page, at);
    const widths = page.subarray(at, at + miniblocks);
    if (widths.length < miniblocks) throw new MalformedBytes('a page ends within a block');
    at += miniblocks;
    for (const width of widths) {
      if (width > 64) throw new MalformedBytes(`a block has numbers of ${width} bits`);
      if (seen >= count) break;
      if (into !== undefined) {
        if (width > 32 || at + (width * Math.min(perMiniblock, count - seen)) / 8 > page.length)
          throw new MalformedBytes('a page ends within a block');
        for (let i = 0; i < perMiniblock && seen + i < count; i++)
          into.push((value += least + packedAt(page, 8 * at + i * width, width)));
      }
      at += (width * perMiniblock) / 8;
      seen += perMiniblock;
      if (at > page.length && seen < count) throw new MalformedBytes('a page ends within a block');
    }
  }
  return at;
}

/** A number of so many bits from a bit on, the lowest first. */
function packedAt(page: Uint8Array, bit: number, width: number): number {
  let value = 0;
  let scale = 1;
  for (let at = bit, left = width; left > 0;) {
    const taken = Math.min(8 - (at & 7), left);
    value += ((page[at >> 3] >> (at & 7)) & ((1 << taken) - 1)) * scale;
    scale *= 1 << taken;
    at += taken;
    left -= taken;
  }
  return value;
}

const bitsOf = (level: number): number => 32 - Math.clz32(level);

/** Values of a page by the first field of its own header. */
function countOf(header: ThriftStruct, field: number): number {
  const count = number(struct(header, field), 1);
  if (!(count >= 0 && count <= MOST_VALUES))
    throw new MalformedBytes(
      `a page says that it has ${count} values; the most is ${MOST_VALUES}: write smaller pages or row groups`,
    );
  return count;
}

function number({ numbers }: ThriftStruct, field: number): number {
  const value = numbers.get(field);
  if (value === undefined) throw new MalformedBytes(`field ${field} of a page's header is missing`);
  return value;
}

function struct({ structs }: ThriftStruct, field: number): ThriftStruct {
  const value = structs.get(field);
  if (value === undefined) throw new MalformedBytes(`field ${field} of a page's header is missing`);
  return value;
}
