/** A name as a file may have it anywhere: names of strategies and scenarios are no paths. */
export function fileName(name: string): string {
  return (
    name
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[-.]+|-+$/g, '')
      .slice(0, 120) || 'unnamed'
  );
}

/** File names for several names, told apart by a number where two become the same. */
export class FileNames {
  readonly #taken = new Set<string>();

  take(name: string): string {
    const plain = fileName(name);
    let own = plain;
    // Some file systems do not tell capitals apart.
    for (let n = 2; this.#taken.has(own.toLowerCase()); n++) own = `${plain}-${n}`;
    this.#taken.add(own.toLowerCase());
    return own;
  }
}
