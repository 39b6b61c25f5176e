/**
 * A text of ours names a command of this program by `ours()`, and not in a literal: what is a literal cannot be shown for the state
 * directory that its reader named.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { commands } from '../src/system/advice.ts';

/** Literals that nobody is shown as advice: `file`, or `file#name` for what is declared in one. */
const others: Readonly<Record<string, readonly string[]>> = {
  'it makes them': ['system/advice.ts'],
  'examples and usage of --help and the manual': ['cli/shell/examples.ts', 'cli/lazy-commands.ts'],
  'docs that are generated from it': [
    'config/host-settings.ts#autostart',
    'supervisor/status/status-schema.ts#door',
  ],
  'a script of the shell, or of the guest': [
    'service/systemd/systemd-unit.ts#choose',
    'guest/debug/debug-script.ts',
  ],
  'what marks a file as ours': ['service/system-job.ts#jobMark'],
  'the name of this program, and a fact': [
    'doctor/report/report.ts#machineLines',
    'net/vpnkit.ts#cardUuid',
  ],
};
const allowed = Object.values(others).flat();

const root = resolve(import.meta.dirname, '../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();
const named = new RegExp(
  `linuxkit-builder (?:${[...commands, 'completion', 'man', 'prepare', 'upgrade'].join('|')})(?![\\w-])`,
);

/** Where a literal names a command, or lets a value do so: `file` and `file#name` for each declaration that it stands in. */
function namingIn(file: string): string[][] {
  const text = readFileSync(join(root, file), 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: string[][] = [];
  const visit = (node: ts.Node, within: readonly string[]): void => {
    const { name } = node as { readonly name?: ts.Node };
    const inside =
      name === undefined || !ts.isIdentifier(name) ? within : [...within, `${file}#${name.text}`];
    if (ts.isStringLiteralLike(node) && named.test(node.text)) found.push([...inside]);
    if (
      (ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) &&
      (named.test(node.text) ||
        (!ts.isTemplateTail(node) && / ?linuxkit-builder $/.test(node.text)))
    )
      found.push([...inside]);
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, [file]);
  return found;
}

const naming = files.flatMap(namingIn);

test('no literal names a command of ours, outside of those that are no advice', () =>
  expect(naming.filter((within) => !within.some((place) => allowed.includes(place)))).toEqual([]));

test('each exception has such a literal', () =>
  expect(allowed.filter((place) => !naming.some((within) => within.includes(place)))).toEqual([]));
