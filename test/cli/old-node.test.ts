/** On a Node that is too old: one sentence, at once, of both commands. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unfitNode } from '../../src/node-version.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';

const package_ = resolve(import.meta.dirname, '../..');
let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

const sentence = (version: string, node: string) =>
  `linuxkit-builder: Node 20.19 or newer is required; this is Node ${version} (${node}).\n`;

const commands = [['main'], ['main', 'status'], ['main', 'daemon'], ['nix-linuxkit-configure']];

/** How a command ends on that Node, and all it says. */
function refusal(node: string, argv: readonly string[], options: readonly string[] = []) {
  const [name = '', ...rest] = argv;
  const script = join(program.folder, `dist/${name}.js`);
  const { status, stdout, stderr } = spawnSync(node, [...options, script, ...rest], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

// Behaviour 210: If Node is too old, the program says in one sentence what is needed, and exits with 69. launchd and
// systemd do not retry.
test.each(commands)('%s %s where Node says that it is old', (...argv) => {
  const version = '18.20.8';
  const preload = join(program.folder, 'old.cjs');
  const value = `{ ...process.versions, node: '${version}' }`;
  writeFileSync(preload, `Object.defineProperty(process, 'versions', { value: ${value} });`);
  expect(refusal(process.execPath, argv, ['--require', preload])).toEqual({
    status: 69,
    stdout: '',
    stderr: sentence(version, process.execPath),
  });
});

const old = (process.env['LINUXKIT_TEST_OLD_NODES'] ?? '').split(':').filter((node) => node !== '');
if (old.length === 0)
  console.warn('LINUXKIT_TEST_OLD_NODES names no old Node (paths, with colons between): left out.');

describe.each(old)('on %s', (node) => {
  test.each(commands)('%s %s', (...argv) => {
    const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.slice(1).trim();
    expect(refusal(node, argv)).toEqual({
      status: 69,
      stdout: '',
      stderr: sentence(version, node),
    });
  });
});

test.each([
  ['20.18.3', false],
  ['18.20.8', false],
  ['8.17.0', false],
  ['20.19.0', true],
  ['21.0.0', true],
  ['22.0.0', true],
  ['100.1.0-nightly', true],
])('%s is new enough: %s', (version, isFit) => {
  expect(unfitNode(version, 'node') === undefined).toBe(isFit);
});

test('package.json and the scripts ask for the same Node', () => {
  const { engines } = JSON.parse(readFileSync(join(package_, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const needed = /Node (\S+) or newer/.exec(unfitNode('1.0.0', 'node') ?? '')?.[1];
  expect(engines.node).toBe(`>=${needed ?? ''}`);
  for (const file of ['scripts/lib.sh', 'README.md'])
    expect(readFileSync(join(package_, file), 'utf8')).toContain(`Node ${needed ?? ''} or newer`);
});
