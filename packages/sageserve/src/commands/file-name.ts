/** A name as a file may have it anywhere: names of strategies and scenarios are no paths. */
export function fileName(name: string): string {
  return (
    name
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[-.]+|-+$/g, '')
      .slice(0, 120) || 'unnamed'
  );
}

/** File names for several names, told apart by their position where two become the same. */
export function fileNames(names: readonly string[]): string[] {
  const plain = names.map(fileName);
  return plain.map((name, i) => (plain.indexOf(name) === i && plain.lastIndexOf(name) === i ? name : `${name}-${i + 1}`));
}
