const decoder = new TextDecoder();

/**
 * Numbers for names that come as bytes, without making a string for each row: an open hash table
 * over the bytes themselves. Several spellings may share a number, since `rename` is applied when a
 * spelling is first seen.
 */
export class NameTable {
  readonly #names: string[];
  readonly #idOfName = new Map<string, number>();
  readonly #rename: (name: string) => string;
  readonly #spellings: Uint8Array[] = [];
  readonly #idOfSpelling: number[] = [];
  #table = new Int32Array(256).fill(-1);

  constructor(names: string[], rename: (name: string) => string = (name) => name) {
    this.#names = names;
    this.#rename = rename;
  }

  /** The number of the name in `bytes[start, end)`. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    let hash = 0x811c9dc5;
    for (let p = start; p < end; p++) hash = Math.imul(hash ^ bytes[p], 0x01000193);
    const mask = this.#table.length - 1;
    let at = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const spelling = this.#table[at];
      if (spelling === -1) break;
      if (sameBytes(this.#spellings[spelling], bytes, start, end)) return this.#idOfSpelling[spelling];
      at = (at + 1) & mask;
    }
    // A quoted CSV field writes a quote as two.
    const id = this.internText(decoder.decode(bytes.subarray(start, end)).replaceAll('""', '"'));
    this.#table[at] = this.#spellings.length;
    this.#spellings.push(bytes.slice(start, end));
    this.#idOfSpelling.push(id);
    if (this.#spellings.length * 2 > this.#table.length) this.#grow();
    return id;
  }

  internText(text: string): number {
    const name = this.#rename(text);
    // Names that somebody else appended to the list, such as those drawn by a mapping.
    for (let i = this.#idOfName.size; i < this.#names.length; i++) this.#idOfName.set(this.#names[i], i);
    let id = this.#idOfName.get(name);
    if (id === undefined) {
      id = this.#names.push(name) - 1;
      this.#idOfName.set(name, id);
    }
    return id;
  }

  #grow(): void {
    const table = new Int32Array(this.#table.length * 2).fill(-1);
    const mask = table.length - 1;
    for (const [spelling, bytes] of this.#spellings.entries()) {
      let hash = 0x811c9dc5;
      for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
      let at = (hash ^ (hash >>> 15)) & mask;
      while (table[at] !== -1) at = (at + 1) & mask;
      table[at] = spelling;
    }
    this.#table = table;
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}
