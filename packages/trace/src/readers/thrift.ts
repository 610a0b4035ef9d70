/** Structs and lists nest no deeper in Parquet's metadata. */
const MOST_DEPTH = 24;

/** A file of ten thousand row groups has lists of as many. */
const MOST_ELEMENTS = 1_000_000;

/**
 * What a struct holds that is of use: numbers of up to 32 bits, yes and no, and structs, by the
 * number of their field. Everything else is passed over.
 */
export interface ThriftStruct {
  readonly numbers: ReadonlyMap<number, number>;
  readonly flags: ReadonlyMap<number, boolean>;
  readonly structs: ReadonlyMap<number, ThriftStruct>;
  /** Where it ends. */
  readonly end: number;
}

/** Bytes that are none of what they should be. */
export class MalformedBytes extends Error {}

/**
 * Reads a struct in Thrift's compact protocol (thrift/doc/specs/thrift-compact-protocol.md) and
 * checks all of it: numbers no longer than they can be, lists no longer than the bytes, structs no
 * deeper than a limit, no field twice. What passes can be given to a reader that checks nothing,
 * and means the same to it. Throws `MalformedBytes`.
 */
export function readThrift(bytes: Uint8Array, at: number, depth = 0): ThriftStruct {
  if (depth > MOST_DEPTH) throw new MalformedBytes('structs are nested too deeply');
  const numbers = new Map<number, number>();
  const flags = new Map<number, boolean>();
  const seen = new Set<number>();
  const structs = new Map<number, ThriftStruct>();
  let field = 0;
  for (;;) {
    const head = byteAt(bytes, at++);
    const type = head & 0x0f;
    if (type === 0) return { numbers, flags, structs, end: at };
    if (head >> 4 === 0) {
      [field, at] = readZigZag32(bytes, at);
    } else field += head >> 4;
    if (seen.has(field)) throw new MalformedBytes(`field ${field} of a struct stands twice`);
    seen.add(field);
    if (type === 12) {
      const struct = readThrift(bytes, at, depth + 1);
      structs.set(field, struct);
      at = struct.end;
    } else if (type === 4 || type === 5) {
      const [value, end] = readZigZag32(bytes, at);
      numbers.set(field, value);
      at = end;
    } else if (type === 1 || type === 2) flags.set(field, type === 1);
    else at = passOver(bytes, at, type, depth);
  }
}

/** Where a value of a type ends. */
function passOver(bytes: Uint8Array, at: number, type: number, depth: number): number {
  if (depth > MOST_DEPTH) throw new MalformedBytes('lists are nested too deeply');
  switch (type) {
    case 1:
    case 2:
    case 3:
      return within(bytes, at + 1);
    case 4:
    case 5:
      return readZigZag32(bytes, at)[1];
    case 6:
      return readVarint(bytes, at)[1];
    case 7:
      return within(bytes, at + 8);
    case 8: {
      const [length, start] = readVarint(bytes, at);
      return within(bytes, start + length);
    }
    case 9: {
      const head = byteAt(bytes, at++);
      let size = head >> 4;
      if (size === 15) [size, at] = readVarint(bytes, at);
      // Each element takes a byte at least.
      if (size > bytes.length - at) throw new MalformedBytes('a list is longer than the bytes');
      if (size > MOST_ELEMENTS) throw new MalformedBytes(`a list has ${size} elements`);
      for (let i = 0; i < size; i++) at = passOver(bytes, at, head & 0x0f, depth + 1);
      return at;
    }
    case 12:
      return readThrift(bytes, at, depth + 1).end;
    default:
      throw new MalformedBytes(`there is no type ${type}`);
  }
}

/** An unsigned number of up to ten bytes, and where it ends. Exact up to 2⁵³. */
export function readVarint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    const byte = byteAt(bytes, at++);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, at];
    scale *= 128;
  }
  throw new MalformedBytes('a number has more than ten bytes');
}

/** A signed number, and where it ends. */
export function readZigZag(bytes: Uint8Array, at: number): [value: number, end: number] {
  const [value, end] = readVarint(bytes, at);
  return [value % 2 === 0 ? value / 2 : -(value + 1) / 2, end];
}

/**
 * The same of no more than 32 bits: a reader that has no more takes something else for a longer
 * one.
 */
function readZigZag32(bytes: Uint8Array, at: number): [value: number, end: number] {
  const [value, end] = readVarint(bytes, at);
  if (value >= 2 ** 32 || end - at > 5) throw new MalformedBytes('a number has more than 32 bits');
  return [value % 2 === 0 ? value / 2 : -(value + 1) / 2, end];
}

function byteAt(bytes: Uint8Array, at: number): number {
  if (at >= bytes.length) throw new MalformedBytes('they end too soon');
  return bytes[at];
}

function within(bytes: Uint8Array, at: number): number {
  if (at > bytes.length) throw new MalformedBytes('they end too soon');
  return at;
}
