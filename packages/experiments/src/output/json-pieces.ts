/**
 * An object or a list as `JSON.stringify(value, null, 2)` gives it, in pieces: a text of hundreds
 * of megabytes is more than the runtime takes as one. Fields, and the items of lists among them,
 * are a piece each.
 */
export function* jsonPieces(value: object): Generator<string> {
  if (Array.isArray(value)) {
    yield* list(value, '');
    return;
  }
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  if (fields.length === 0) {
    yield '{}';
    return;
  }
  for (const [i, [name, field]] of fields.entries()) {
    yield `${i === 0 ? '{' : ','}\n  ${JSON.stringify(name)}: `;
    if (Array.isArray(field)) yield* list(field, '  ');
    else yield indented(field, '  ');
  }
  yield '\n}';
}

function* list(items: readonly unknown[], indent: string): Generator<string> {
  if (items.length === 0) {
    yield '[]';
    return;
  }
  for (const [i, item] of items.entries()) yield `${i === 0 ? '[' : ','}\n${indent}  ${indented(item, `${indent}  `)}`;
  yield `\n${indent}]`;
}

function indented(value: unknown, indent: string): string {
  // Line breaks within texts are escaped, so that those that there are begin a line.
  return (JSON.stringify(value, null, 2) as string | undefined)?.replaceAll('\n', `\n${indent}`) ?? 'null';
}
