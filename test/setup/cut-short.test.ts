/** `configure` and `image build` ended at any moment: whoever runs them again has what he would have without that. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { builtImage } from '../../src/config/image-prefix.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { failureOf } from '../../src/system/failure.ts';
import { bundleAt, checkBootImage, readManifest } from '../../src/vm/boot-image.ts';
import { publishSmall } from '../fakes/fake-image.ts';
import { sha256, type FakeMirror } from '../fakes/fake-mirror.ts';
import { mirrorOf } from '../fakes/small-mirror.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { runStruck, type Strike, type Struck } from '../rig/kill-at.ts';
import { snapshot } from './configure-rig.ts';
import { nothingToUndo } from '../../src/setup/root/root-removal.ts';
import { removeTree } from '../remove-tree.ts';

const moments = 10;
let program: BuiltProgram;
let mirror: FakeMirror;
let directory = '';
beforeAll(async () => {
  program = await buildProgram();
  mirror = await mirrorOf(program, '6.12.201');
  directory = mkdtempSync(join(tmpdir(), 'cut-'));
});
afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  program[Symbol.dispose]();
  removeTree(directory);
});

/** Moments spread over a run of so many changes, Ctrl-C and kill -9 by turns. */
const strikes = (changes: number): Strike[] =>
  Array.from({ length: moments }, (_, index) => ({
    at: 1 + Math.floor((index * changes) / moments),
    signal: index % 2 === 0 ? 'SIGINT' : 'SIGKILL',
  }));

/** Before each of the last changes, by which what is new takes the place of what was there. */
const lastStrikes = (changes: number): Strike[] =>
  [7, 5, 3, 2].map((left) => ({ at: changes - left, signal: 'SIGKILL' }));

/** A machine of its own in a directory: a tree that stands for /, and in it the state directory. */
function world(name: string) {
  const root = join(directory, name);
  const [home, tree] = [join(root, 'home'), join(root, 'tree')];
  const systemPaths = systemPathsOf(tree);
  for (const path of [home, systemPaths.home, systemPaths.rootHome, systemPaths.etcNix])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(systemPaths.etcNix, 'nix.conf'), 'cores = 1');
  const layout = layoutOf(join(root, 'state'));
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    LINUXKIT_BUILDER_TREE: tree,
    no_proxy: '127.0.0.1',
  };
  const run = (argv: readonly string[], strike?: Strike): Promise<Struck> =>
    runStruck(program, [...argv, '-d', layout.root], { env, strike });
  return { root, layout, run };
}

// Behaviour 9: `configure` and `image build` can be interrupted at any moment. Nothing half-finished is trusted, and
// running the command again gives the same result as if it had not been interrupted.
test('configure ended at any moment, and run again', { timeout: 120_000 }, async () => {
  const whole = world('whole');
  const undisturbed = await whole.run(['configure']);
  expect(undisturbed.code, undisturbed.said).toBe(0);
  const expected = configured(whole);
  const ends = new Set<unknown>();
  for (const strike of strikes(undisturbed.changes ?? 0)) {
    const what = `${strike.signal} before ${strike.at}`;
    const cut = world(what);
    const { code, signal } = await cut.run(['configure'], strike);
    ends.add(code ?? signal);
    const again = await cut.run(['configure']);
    expect(again.code, `${what}\n${again.said}`).toBe(0);
    expect(configured(cut), what).toEqual(expected);
  }
  expect([...ends]).toEqual(expect.arrayContaining([130, 'SIGKILL']));
});

test(
  'unconfigure --purge takes what they left when they were killed',
  { timeout: 120_000 },
  async () => {
    const build = [
      'image',
      'build',
      '--update',
      '--quiet',
      '--arch',
      'amd64',
      '--mirror',
      mirror.url,
    ];
    for (const argv of [['configure'], build]) {
      const { changes = 0 } = await world(`all of ${argv[0]}`).run(argv);
      for (const part of [0.2, 0.4, 0.6, 0.8, 0.95]) {
        const at = Math.ceil(changes * part);
        const cut = world(`${argv[0]} until ${at}`);
        await cut.run(argv, { at, signal: 'SIGKILL' });
        const { code, said } = await cut.run(['unconfigure', '--purge', '--yes']);
        expect(code, said).toBe(0);
        expect(leftIn(cut.layout.root), said).toEqual([]);
      }
    }
  },
);

test.each(['.linuxkit-builder', '.linuxkit-builder.2026113012', '.linuxkit-builder.7'])(
  'unconfigure --purge takes a directory in which there is only %s',
  async (name) => {
    const { root, layout, run } = world(`only ${name}`);
    mkdirSync(layout.root, { mode: 0o700 });
    writeFileSync(join(layout.root, name), '');
    expect((await run(['unconfigure'])).code).toBe(0);
    expect(existsSync(layout.root)).toBe(true);
    const planned = await run(['unconfigure', '--purge', '--dry-run']);
    expect(planned.code).toBe(0);
    expect(planned.said).not.toContain(nothingToUndo);
    expect(planned.said).toContain(layout.root);
    expect((await run(['unconfigure', '--purge', '--yes'])).code).toBe(0);
    expect(existsSync(layout.root), root).toBe(false);
  },
);

const leftIn = (path: string): string[] =>
  existsSync(path) ? Object.keys(snapshot(path)).filter((name) => !isDated.test(name)) : [];

/** Few digits may be somebody's date. One unfinished file in forty has them, and then its directory stays. */
const isDated = /\.\d{1,8}$|^keys$/;

/** All files, with names for what is another in each run: the directory, the keys and their sums, the time. */
function configured({ root, layout }: ReturnType<typeof world>): Record<string, string> {
  const names: [RegExp | string, string][] = [[root, '(root)']];
  for (const [name, path] of Object.entries({
    client: layout.clientKey,
    root: layout.rootKey,
    host: layout.hostKey,
    rootsOwn: rootPaths(systemPathsOf(join(root, 'tree'))).clientKey,
  })) {
    const [type = '', key = ''] = readFileSync(`${path}.pub`, 'utf8').split(' ');
    names.push([readFileSync(path, 'latin1'), `(${name})`], [`${type} ${key}`, `(${name}.pub)`]);
    names.push([Buffer.from(`${type} ${key}`).toString('base64'), `(${name}.pub, base64)`]);
  }
  names.push([/\b[0-9a-f]{64}\b/g, '(sum)'], [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '(time)']);
  const named = (text: string) =>
    names.reduce((before, [from, to]) => before.replaceAll(from, to), text);
  // Beside files that others have as well nothing is removed, whatever it looks like; nobody reads it.
  const isOthers = (path: string) =>
    /\/(machines|\.ssh\/config)\.\d+$/.test(path) || isDated.test(path);
  return Object.fromEntries(
    Object.entries(snapshot(root)).flatMap(([path, text]) =>
      isOthers(path) ? [] : [[path, named(text)]],
    ),
  );
}

test('image build ended at any moment, and run again', { timeout: 120_000 }, async () => {
  const build = ['image', 'build', '--quiet', '--arch', 'amd64', '--mirror', mirror.url];
  const old = world('old');
  expect((await old.run([...build, '--update'])).said).toBe('');
  await publishSmall(mirror, '6.12.202', { date: new Date() });
  const renewed = world('renewed');
  expect((await renewed.run([...build, '--update'])).said).toBe('');
  // The image that was there, and no package of the new one.
  const before = (name: string) => {
    const made = world(name);
    cpSync(old.layout.images, made.layout.images, { recursive: true });
    return made;
  };
  const whole = before('replaced');
  const undisturbed = await whole.run(build);
  expect(undisturbed.code, undisturbed.said).toBe(0);
  const expected = built(whole);
  const ends = new Set<unknown>();
  const left = new Set<string>();
  const { changes = 0 } = undisturbed;
  for (const strike of [...strikes(changes), ...lastStrikes(changes)]) {
    const what = `build ${strike.signal} before ${strike.at}`;
    const cut = before(what);
    const { code, signal } = await cut.run(build, strike);
    ends.add(code ?? signal);
    left.add(imageAt(cut));
    const again = await cut.run(build);
    expect([again.code, again.said], what).toEqual([0, '']);
    expect(built(cut), what).toEqual(expected);
  }
  expect([...ends]).toEqual(expect.arrayContaining([130, 'SIGKILL']));
  // Each moment of the replacing was met.
  expect(left).toEqual(new Set(['6.12.201', 'image-missing', '6.12.202']));
});

/** The version of the image that a start would take; an image of which anything is another's, or half, fails the test. */
function imageAt({ layout }: ReturnType<typeof world>): string {
  const bundle = bundleAt(builtImage(layout, 'x86_64-linux'));
  try {
    checkBootImage(bundle, { full: true });
  } catch (error) {
    const { kind } = failureOf(error);
    expect(kind).toBe('image-missing');
    return kind;
  }
  return readManifest(bundle)?.kernelVersion ?? '';
}

/** All files by their sums; without what a killed build had in its hands, which goes when it is an hour old. */
const built = ({ layout }: ReturnType<typeof world>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(snapshot(layout.root)).flatMap(([path, content]) =>
      path.startsWith('image/.builder-') ? [] : [[path, sha256(content)]],
    ),
  );
