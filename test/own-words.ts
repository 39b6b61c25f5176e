/** Finds, in the syntax tree, where the words of a sentence of ours are asserted, compared, looked into or cut. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '..');

/** Fields of failures, problems, findings and of what is told of them: a person reads them. */
const prose = new Set([
  'message',
  'hint',
  'what',
  'why',
  'remedy',
  'fact',
  'sentence',
  'because',
  'text',
  'reason',
]);

export const filesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`);
export const parsed = (text: string) =>
  ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true);
export const sourceOf = (file: string) => parsed(readFileSync(join(root, file), 'utf8'));

function walk(node: ts.Node, visit: (node: ts.Node) => unknown): void {
  if (visit(node) === 'done') return;
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** The text of a literal, or of a piece of a template. */
function literalIn(node: ts.Node): string | undefined {
  return ts.isStringLiteralLike(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddleOrTemplateTail(node)
    ? node.text
    : undefined;
}

/** Commands and flags are facts; so is the name of a program. */
const withoutCommands = (text: string) =>
  text
    .replace(/linuxkit-builder [a-z-]+( build| update| verify| info| renew| keep| reset)?/g, '')
    .replace(/\b(sudo|su|apt-get|brew|chmod|chown|plutil|lsof|ip link)\b[^,;|()]*/g, '')
    .replace(/--?[a-z][a-z-]*( [a-z0-9-]+)?/g, '')
    .replace(/\s+/g, ' ')
    .trim();
const isEnglish = (text: string) => /[a-z]{2,},? [a-z]{2,}/i.test(text);

/** The sentences of src, as far as they are fixed. */
export const sentences = filesIn('src').flatMap((file) => {
  const found: string[] = [];
  walk(sourceOf(file), (node) => {
    if (ts.isImportDeclaration(node)) return 'done';
    const text = withoutCommands(literalIn(node) ?? '');
    if (isEnglish(text)) found.push(text);
  });
  return found;
});

const isOurs = (text: string) => {
  const words = withoutCommands(text);
  return (
    isEnglish(words) &&
    sentences.some((each) => each.includes(words) || (each.length > 15 && words.includes(each)))
  );
};

/** What a regular expression holds literally. */
const runsOf = (pattern: string) =>
  pattern
    .replace(/^\/|\/[a-z]*$/g, '')
    .replace(/\\[dwsbDWSBnt]/g, '\0')
    .replace(/\\(.)/g, '$1')
    .split(/[\0|()[\]*+?^${}]/);

function asserts(node: ts.Node): boolean {
  let found = false;
  walk(node, (each) => {
    const pieces = ts.isRegularExpressionLiteral(each)
      ? runsOf(each.text)
      : [literalIn(each) ?? ''];
    found ||= pieces.some(isOurs);
  });
  return found;
}

const looksInto = new Set([
  'includes',
  'startsWith',
  'endsWith',
  'indexOf',
  'search',
  'match',
  'matchAll',
  'split',
  'replace',
  'replaceAll',
  'slice',
  'substring',
]);
const isMatcher = (name: string) =>
  /^to(Be|Equal|Match|Contain|Throw|StrictEqual|Have)|^(object|string|array)(Containing|Matching)$/.test(
    name,
  );

/** What makes text for people of a failure, a problem or a finding. */
const tellers = new Set([
  'plainly',
  'describeProblem',
  'describeToOwner',
  'findingLines',
  'textFor',
]);

/** Functions of a test that make such text: `wordsOf(findings)`. */
function tellersIn(source: ts.SourceFile): ReadonlySet<string> {
  const found = new Set<string>();
  walk(source, (node) => {
    if (ts.isFunctionDeclaration(node) && node.name && tells(node)) found.add(node.name.text);
    const isOne = ts.isVariableDeclaration(node) && node.initializer !== undefined;
    if (isOne && ts.isArrowFunction(node.initializer) && tells(node))
      found.add(node.name.getText());
  });
  return found;
}

/** `message` in `{ message: 'x' }`, which makes one and reads none. */
const isNameOfProperty = (node: ts.Identifier) =>
  ts.isPropertyAssignment(node.parent) && node.parent.name === node;

function tells(node: ts.Node): boolean {
  let found = false;
  walk(node, (each) => {
    if (!ts.isIdentifier(each) || isNameOfProperty(each)) return;
    found ||= tellers.has(each.text) || onlyProse.includes(each.text);
  });
  return found;
}

function readsProse(node: ts.Node, own: ReadonlySet<string>): boolean {
  let found = false;
  walk(node, (each) => {
    if (!ts.isIdentifier(each)) return;
    // As names of their own these stand for anything.
    const isField = ts.isPropertyAccessExpression(each.parent) && each.parent.name === each;
    const isGeneral = ['text', 'reason', 'fact'].includes(each.text) && !isField;
    found ||= (prose.has(each.text) && !isGeneral) || tellers.has(each.text) || own.has(each.text);
  });
  return found;
}

/** Of `test.each(table)(title, (a, b) => …)` the cells that come as this parameter. */
function cellsOf(name: ts.Node): ts.Node[] {
  if (!ts.isIdentifier(name)) return [];
  for (let node = name.parent; !ts.isSourceFile(node); node = node.parent) {
    if (!ts.isArrowFunction(node) || !ts.isCallExpression(node.parent)) continue;
    const index = node.parameters.findIndex((each) => each.name.getText() === name.text);
    const { expression } = node.parent;
    if (index < 0 || !ts.isCallExpression(expression)) continue;
    const table = unwrapped(expression.arguments[0]);
    const rows = table !== undefined && ts.isArrayLiteralExpression(table) ? table.elements : [];
    return rows.flatMap((row) => {
      const cells = unwrapped(row);
      if (cells === undefined || !ts.isArrayLiteralExpression(cells))
        return index === 0 ? [row] : [];
      return cells.elements[index] ?? [];
    });
  }
  return [];
}

const unwrapped = (node: ts.Node | undefined): ts.Node | undefined =>
  node !== undefined && (ts.isAsExpression(node) || ts.isParenthesizedExpression(node))
    ? unwrapped(node.expression)
    : node;

/** A node with what stands in tables for the names in it. */
function withCells(node: ts.Node): ts.Node[] {
  const found = [node];
  walk(node, (each) => found.push(...cellsOf(each)));
  return found;
}

/** Places where a test asserts a sentence of ours: of what is thrown, or of a field that a person reads. */
export function assertedIn(source: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = [];
  const own = tellersIn(source);
  walk(source, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    const { name, expression: subject } = node.expression;
    if (!isMatcher(name.text) && !looksInto.has(name.text)) return;
    if (name.text.startsWith('toThrow') || readsProse(subject, own))
      found.push(...node.arguments.flatMap(withCells).filter(asserts));
    else
      for (const each of node.arguments)
        walk(each, (inner) => {
          if (!ts.isPropertyAssignment(inner) || !prose.has(inner.name.getText())) return;
          found.push(...withCells(inner.initializer).filter(asserts));
        });
  });
  return found;
}

export const placesOf = (file: string, source: ts.SourceFile, nodes: readonly ts.Node[]) =>
  [...new Set(nodes)].map(
    (node) =>
      `${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${node.getText().slice(0, 100)}`,
  );

/** Of a failure, a problem or a finding, and of a status: fields that are never a code. */
const onlyProse = ['message', 'hint', 'remedy', 'sentence'];

function isProse(node: ts.Node): boolean {
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node))
    return isProse(node.expression);
  if (ts.isBinaryExpression(node)) return isProse(node.left);
  if (ts.isPropertyAccessExpression(node)) return onlyProse.includes(node.name.text);
  if (ts.isCallExpression(node)) return tellers.has(node.expression.getText());
  return ts.isIdentifier(node) && onlyProse.includes(node.text);
}

/** Whether there is a text at all is a fact. */
const isNothing = (node: ts.Node) => ['undefined', "''"].includes(node.getText());
const comparisons = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);

/** Places where a sentence is compared, looked into or cut. */
export function decidedIn(source: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = [];
  walk(source, (node) => {
    if (ts.isBinaryExpression(node) && comparisons.has(node.operatorToken.kind)) {
      const sides = [node.left, node.right];
      if (sides.some(isProse) && !sides.some(isNothing)) found.push(node);
    }
    if (ts.isSwitchStatement(node) && isProse(node.expression)) found.push(node);
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    const { name, expression: subject } = node.expression;
    const isTried = ['test', 'exec'].includes(name.text) && node.arguments.some(isProse);
    if (isTried || (looksInto.has(name.text) && isProse(subject))) found.push(node);
  });
  return found;
}
