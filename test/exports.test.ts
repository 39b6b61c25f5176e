/** What a file exports, another one imports: a reader of it need not look for users that are not there. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const filesIn = (folder: string): readonly ts.SourceFile[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, folder, name))
    .map((path) =>
      ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true),
    );

/** `FILE#NAME` of each name that a file takes from another; `FILE#*` where it takes whatever there is. */
function importsOf(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const take = (from: string, names: readonly string[]) =>
    found.push(...names.map((name) => `${resolve(dirname(source.fileName), from)}#${name}`));
  const visit = (node: ts.Node): void => {
    const { moduleSpecifier } = node as { readonly moduleSpecifier?: ts.Expression };
    if (moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier))
      take(moduleSpecifier.text, namesIn(node));
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [path] = node.arguments;
      if (path !== undefined && ts.isStringLiteral(path)) take(path.text, takenFrom(node.parent));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function namesIn(node: ts.Node): string[] {
  if (ts.isImportDeclaration(node)) {
    const names = node.importClause?.namedBindings;
    if (names === undefined) return [];
    return ts.isNamedImports(names) ? names.elements.map(given) : ['*'];
  }
  if (!ts.isExportDeclaration(node)) return [];
  const names = node.exportClause;
  return names !== undefined && ts.isNamedExports(names) ? names.elements.map(given) : ['*'];
}

/** Of `const { a } = await import(...)`; of anything else all. */
function takenFrom(node: ts.Node): string[] {
  if (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node))
    return takenFrom(node.parent);
  if (ts.isVariableDeclaration(node) && ts.isObjectBindingPattern(node.name))
    return node.name.elements.map((each) => (each.propertyName ?? each.name).getText());
  return ['*'];
}

const given = ({ propertyName, name }: ts.ImportOrExportSpecifier) => (propertyName ?? name).text;

const isExported = (node: ts.Node) =>
  ts.canHaveModifiers(node) &&
  ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;

function exportsOf(source: ts.SourceFile): string[] {
  return source.statements.filter(isExported).flatMap((statement) => {
    const declared = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map(({ name }) => name)
      : [(statement as { readonly name?: ts.Node }).name];
    return declared.flatMap(wordsIn).map((name) => `${source.fileName}#${name}`);
  });
}

function wordsIn(name: ts.Node | undefined): string[] {
  if (name === undefined) return [];
  return ts.isObjectBindingPattern(name)
    ? name.elements.flatMap((each) => wordsIn(each.name))
    : [name.getText()];
}

/** How often a file names it. */
function usesOf(source: ts.SourceFile, name: string): number {
  let uses = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name) uses++;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return uses;
}

test('nothing is exported that nobody imports, or that tests alone keep alive', () => {
  const sources = filesIn('src');
  const bySources = new Set([...sources, ...filesIn('scripts')].flatMap(importsOf));
  const byTests = new Set(filesIn('test').flatMap(importsOf));
  const exported = sources.flatMap((source) => exportsOf(source).map((name) => ({ source, name })));
  expect(exported.length).toBeGreaterThan(1000);
  const idle = exported.filter(({ source, name }) => {
    const [file = '', word = ''] = name.split('#');
    if (bySources.has(name) || bySources.has(`${file}#*`)) return false;
    const isTested = byTests.has(name) || byTests.has(`${file}#*`);
    return !isTested || usesOf(source, word) === 1;
  });
  expect(idle.map(({ name }) => relative(root, name))).toEqual([]);
});

test('no type has the name of one that another file exports', () => {
  const named = filesIn('src').flatMap((source) =>
    source.statements
      .filter(
        (statement) =>
          ts.isInterfaceDeclaration(statement) ||
          ts.isTypeAliasDeclaration(statement) ||
          ts.isClassDeclaration(statement),
      )
      .map((statement) => ({
        name: statement.name?.text ?? '',
        isShared: isExported(statement),
        file: relative(root, source.fileName),
      })),
  );
  const shared = named.filter(({ isShared }) => isShared);
  expect(shared.length).toBeGreaterThan(300);
  const twice = named.filter(({ name, file }) =>
    shared.some((other) => other.name === name && other.file !== file),
  );
  expect(twice).toEqual([]);
});
