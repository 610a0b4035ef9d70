import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const folder = new URL('./', import.meta.url);
const files = readdirSync(folder).filter((file) => /^[a-z0-9-]+\.ts$/.test(file) && file !== 'index.ts');

function isDocumented(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some((doc) => (ts.getTextOfJSDocComment(doc.comment) ?? '').trim() !== '');
}

/** What others can't reach, and what says the same as in the class above. */
function isBound(member: ts.ClassElement | ts.TypeElement): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Override;
  return (
    (member.name === undefined || !ts.isPrivateIdentifier(member.name)) &&
    (ts.getCombinedModifierFlags(member) & hidden) === 0
  );
}

function membersOf(statement: ts.Statement): readonly (ts.ClassElement | ts.TypeElement)[] {
  if (ts.isInterfaceDeclaration(statement) || ts.isClassDeclaration(statement)) return statement.members;
  if (ts.isTypeAliasDeclaration(statement) && ts.isTypeLiteralNode(statement.type)) return statement.type.members;
  return [];
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
  );
}

/** Names of what is exported without a contract. */
function withoutContract(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const missing: string[] = [];
  for (const statement of source.statements.filter(isExported)) {
    const names = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map(({ name }) => name.getText())
      : [(statement as ts.DeclarationStatement).name?.getText() ?? 'default'];
    const name = names.join(', ');
    if (!isDocumented(statement)) missing.push(`${file}: ${name}`);
    for (const member of membersOf(statement).filter(isBound))
      if (!isDocumented(member)) missing.push(`${file}: ${name}.${member.name?.getText() ?? 'constructor'}`);
  }
  return missing;
}

describe('the contract', () => {
  it.each(files)('stands on everything that %s exports, and on every member of it', (file) => {
    expect(withoutContract(file, readFileSync(new URL(file, folder), 'utf8'))).toEqual([]);
  });

  it('is missed by name', () => {
    const source = `
      /** Said. */
      export interface A {
        /** Said. */
        one: number;
        two: string;
        three(): void;
      }
      export type B = { four: number };
      export class C { constructor() {} #five = 5; private six = 6; override seven = 7;
        /** */
        eight = 8;
      }
      export function d() {}
      export const e = 1, f = 2;
      interface G { nine: number }
    `;
    expect(withoutContract('x.ts', source)).toEqual([
      'x.ts: A.two',
      'x.ts: A.three',
      'x.ts: B',
      'x.ts: B.four',
      'x.ts: C',
      'x.ts: C.constructor',
      'x.ts: C.eight',
      'x.ts: d',
      'x.ts: e, f',
    ]);
  });
});
