/**
 * A mixed-integer program, minimised, that knows no solver: rows in compressed form, every row and
 * column named.
 */
export interface IntegerModel {
  readonly name: string;
  readonly columnNames: readonly string[];
  readonly objective: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  /** 1 where a column is a whole number. */
  readonly integer: Uint8Array;
  readonly rowNames: readonly string[];
  readonly rowLower: Float64Array;
  readonly rowUpper: Float64Array;
  /** Row r has entries `starts[r]` up to `starts[r + 1]`. */
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly values: Float64Array;
  /** Added to the objective. */
  readonly constant: number;
}

/**
 * Collects columns and rows; names are made fit for any file format and told apart where they would
 * fall together.
 */
export class ModelBuilder {
  readonly #columns: { name: string; objective: number; lower: number; upper: number; integer: boolean }[] = [];
  readonly #rows: { name: string; lower: number; upper: number }[] = [];
  readonly #starts: number[] = [0];
  readonly #indices: number[] = [];
  readonly #values: number[] = [];
  readonly #names = new Set<string>();

  column(name: string, objective: number, lower: number, upper: number, integer: boolean): number {
    this.#columns.push({ name: this.#fit(name), objective, lower, upper, integer });
    return this.#columns.length - 1;
  }

  get rows(): number {
    return this.#rows.length;
  }

  /** Coefficients of 0 are left out. */
  row(
    name: string,
    lower: number,
    upper: number,
    entries: readonly (readonly [column: number, value: number])[],
  ): void {
    for (const [column, value] of entries) {
      if (value === 0) continue;
      this.#indices.push(column);
      this.#values.push(value);
    }
    this.#starts.push(this.#indices.length);
    this.#rows.push({ name: this.#fit(name), lower, upper });
  }

  build(name: string, constant: number): IntegerModel {
    return {
      name,
      columnNames: this.#columns.map((column) => column.name),
      objective: Float64Array.from(this.#columns, (column) => column.objective),
      lower: Float64Array.from(this.#columns, (column) => column.lower),
      upper: Float64Array.from(this.#columns, (column) => column.upper),
      integer: Uint8Array.from(this.#columns, (column) => (column.integer ? 1 : 0)),
      rowNames: this.#rows.map((row) => row.name),
      rowLower: Float64Array.from(this.#rows, (row) => row.lower),
      rowUpper: Float64Array.from(this.#rows, (row) => row.upper),
      starts: Int32Array.from(this.#starts),
      columns: Int32Array.from(this.#indices),
      values: Float64Array.from(this.#values),
      constant,
    };
  }

  #fit(name: string): string {
    const base = name.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 200);
    let fit = base;
    for (let n = 2; this.#names.has(fit); n++) fit = `${base}.${n}`;
    this.#names.add(fit);
    return fit;
  }
}
