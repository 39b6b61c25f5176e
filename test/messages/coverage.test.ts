/**
 * Every text of src that a person can meet is in a page of this folder. A text is a literal or a template with at least three words of
 * prose; a page has it when one state of it has its fixed parts in their order.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import config from '../../vitest.config.ts';
import { notText } from './not-text.ts';

const root = resolve(import.meta.dirname, '../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();
const roomOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : 'main');
const rooms = [...new Set(files.map(roomOf))];

interface Text {
  readonly file: string;
  readonly line: number;
  /** What stands between the placeholders. */
  readonly parts: readonly string[];
  /** The declarations that it stands in: `file`, and `file#name` for each. */
  readonly within: ReadonlySet<string>;
}

/** A word of prose with the marks that stand beside one; neither a path nor an option nor a number. */
const word = /^["'“‘(]*[A-Za-z][A-Za-z'’-]*["'”’).,:;!?]*$/;
const isProse = (parts: readonly string[]) =>
  parts
    .join(' 0 ')
    .split(/\s+/)
    .filter((each) => word.test(each)).length >= 3;

/** A position in which no person reads a literal: of an import, a type, a pattern, or an exception that is our own mistake. */
function isNoText(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent)) return true;
  if (ts.isLiteralTypeNode(parent)) return true;
  if (ts.isPropertyAssignment(parent) && parent.name.getText() === 'pattern') return true;
  if (!ts.isNewExpression(parent)) return false;
  const made = parent.expression.getText();
  return made === 'RegExp' || (made.endsWith('Error') && isOurs(parent.parent));
}

/** Where an exception is our own mistake, or cancels what we do. */
const isOurs = (node: ts.Node): boolean =>
  ts.isThrowStatement(node) ||
  (ts.isCallExpression(node) && /\b(abort|reject)$/.test(node.expression.getText()));

function textsOf(file: string): Text[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(root, file), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const found: Text[] = [];
  const visit = (node: ts.Node, within: ReadonlySet<string>): void => {
    const name = nameOf(node);
    const inside = name === undefined ? within : new Set([...within, `${file}#${name}`]);
    const parts = partsOf(node);
    if (parts !== undefined && isProse(parts) && !isNoText(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push({ file, line: line + 1, parts, within: inside });
    }
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, new Set([file]));
  return found;
}

function nameOf(node: ts.Node): string | undefined {
  const { name } = node as { readonly name?: ts.Node };
  return name !== undefined && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name))
    ? name.text
    : undefined;
}

function partsOf(node: ts.Node): readonly string[] | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (!ts.isTemplateExpression(node)) return undefined;
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
}

const onOneLine = (text: string) => text.replaceAll(/\s+/g, ' ');
const pages = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.md'));
const states = pages
  .flatMap((page) => readFileSync(join(import.meta.dirname, page), 'utf8').split(/^##? /m))
  .map(onOneLine);

function isTold({ parts }: Text): boolean {
  const fixed = onOneLine(parts.join('\0')).trim().split('\0');
  const inOrder = fixed.filter((part) => part !== '');
  return states.some((state) => {
    let from = 0;
    return inOrder.every((part) => {
      const at = state.indexOf(part, from);
      from = at + part.length;
      return at >= 0;
    });
  });
}

const all = files.flatMap(textsOf);
const excluded = new Set(Object.values(notText).flat());
const untoldIn = (room: string) =>
  all
    .filter((text) => roomOf(text.file) === room)
    .filter(({ within }) => ![...within].some((where) => excluded.has(where)))
    .filter((text) => !isTold(text))
    .map(({ file, line, parts }) => `src/${file}:${line}: ${onOneLine(parts.join('${}'))}`);

describe('the texts of src', () => {
  test('are found', () => expect(all.length).toBeGreaterThan(1000));

  test.each(rooms)('of %s are all in a page', (room) => {
    expect(untoldIn(room)).toEqual([]);
  });

  test('that are exceptions are all there', () => {
    const needed = new Set(
      all.filter((text) => !isTold(text)).flatMap(({ within }) => [...within]),
    );
    expect([...excluded].filter((where) => !needed.has(where))).toEqual([]);
  });

  test('are written into the pages only when a person asks for it', () =>
    expect(config.test?.update).toBe('none'));

  test('are told by one table for each page', () => {
    const tables = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
    expect(tables).toEqual(
      expect.arrayContaining(pages.map((page) => page.replace('.md', '.test.ts'))),
    );
  });
});
