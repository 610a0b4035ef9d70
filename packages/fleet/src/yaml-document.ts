import { ConfigError, messageOf } from '@sageserve/core';
import { type Document, isAlias, isCollection, isNode, LineCounter, parseDocument, visit } from 'yaml';

/** What a text stands for, and where in it. */
export interface YamlDocument {
  readonly value: unknown;
  /** File, line and column of a field, to put before its path. */
  readonly where: (path: readonly PropertyKey[]) => string;
}

/**
 * Reads YAML, of which JSON is a part. Throws `ConfigError` with file, line and column for what is
 * no YAML, or means nothing.
 */
export function parseYaml(file: string, text: string): YamlDocument {
  const lines = new LineCounter();
  const { document, value } = parse(file, text, lines);
  const where = (path: readonly PropertyKey[]): string => {
    // The nearest field that the file has: one that is missing is wrong where it should be.
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return `${at(file, lines, node.range[0])}: `;
    }
    return `${file}: `;
  };
  return { value, where };
}

function at(file: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${file}:${line}:${col}`;
}

function parse(file: string, text: string, lines: LineCounter): { document: Document.Parsed; value: unknown } {
  let document: Document.Parsed | undefined;
  try {
    document = parseDocument(text, { lineCounter: lines });
    const error = document.errors[0];
    if (error !== undefined) {
      const { line, col } = error.linePos?.[0] ?? { line: 1, col: 1 };
      throw new ConfigError(
        `${file}:${line}:${col}`,
        error.code === 'RESOURCE_EXHAUSTION' ? TOO_DEEP : error.message.split('\n')[0]!,
      );
    }
    refuseUnresolved(document, file, lines);
    return { document, value: document.toJS({ maxAliasCount: MOST_ALIASES }) };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    // Aliases that stand for more and more aliases, or lists within lists by the thousand.
    throw new ConfigError(file, cause instanceof RangeError ? TOO_DEEP : messageOf(cause), { cause });
  }
}

const MOST_ALIASES = 100;
const TOO_DEEP = 'is nested too deeply';

/** Each is looked for among all names before it. */
const MOST_ALIASES_IN_ALL = 10_000;

function refuseUnresolved(document: Document.Parsed, file: string, lines: LineCounter): void {
  const names = new Set<string>();
  let aliases = 0;
  visit(document, {
    Pair(_, { key }) {
      if (isCollection(key))
        throw new ConfigError(at(file, lines, key.range?.[0] ?? 0), 'is a list or a table in the place of a name');
    },
    Node(_, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) names.add(node.anchor);
        return;
      }
      const where = at(file, lines, node.range?.[0] ?? 0);
      if (!names.has(node.source))
        throw new ConfigError(where, `*${node.source} stands for nothing: there is no &${node.source} before it`);
      if (++aliases > MOST_ALIASES_IN_ALL)
        throw new ConfigError(where, `is one of more than ${MOST_ALIASES_IN_ALL.toLocaleString('en-US')} aliases`);
    },
  });
}
