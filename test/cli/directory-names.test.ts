import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { imageCommands } from '../../src/cli/image/image-command.ts';
import { layoutFor, type CliContext } from '../../src/command/context.ts';
import { notRegistered } from '../../src/nix/registration.ts';
import { isSame, knownDirectory } from '../../src/host/directory/known-directory.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';
import { nothingToUndo } from '../../src/setup/root/root-removal.ts';
import { plainly } from '../../src/system/advice.ts';

// Root's part needs root's rights.

// Behaviour 17: A state directory is recognised as the same builder under every name that leads to it, such as a
// link, a name in a different case, or one with a trailing slash. Each command uses the name under which the builder
// is registered with Nix.
describe('a builder by another name', needs('root'), () => {
  test('is the same to every command', async () => {
    using rig = configureRig();
    const { root } = rig.layout;
    await rig.run('-q');
    const before = rig.snapshot();
    const link = join(rig.tree, 'link');
    symlinkSync(root, link);
    const env = { LINUXKIT_BUILDER_TREE: rig.tree };
    for (const name of [link, `${root}/`, `${link}/`, join(rig.tree, 'cache/./state')]) {
      const { failure } = await rig.runWith(env, '-q', '-d', name);
      expect(failure).toBeUndefined();
      const layout = layoutFor({ directory: name }, contextOf(env));
      expect(layout.root).toBe(root);
      expect(notRegistered(layout, { env })).toBeUndefined();
    }
    rmSync(link);
    expect(rig.snapshot()).toEqual(before);
    symlinkSync(root, link);
    await rig.anyWith(env, 'unconfigure', '-d', link, '--yes', '--purge');
    expect(existsSync(rig.root.installed)).toBe(false);
  });

  test('keeps the name that Nix has when the configured one is a link', async () => {
    using rig = configureRig();
    const env = { LINUXKIT_BUILDER_TREE: rig.tree };
    const [real, link] = [join(rig.tree, 'real'), join(rig.tree, 'link')];
    mkdirSync(real);
    symlinkSync(real, link);
    await rig.runWith(env, '-q', '-d', link);
    expect(knownDirectory(rig.systemPaths)).toBe(link);
    expect(layoutFor({ directory: real }, contextOf(env)).root).toBe(link);
    // The link leads elsewhere now: another directory is another builder.
    renameSync(real, `${real}.away`);
    expect(layoutFor({ directory: `${real}.away` }, contextOf(env)).root).toBe(`${real}.away`);
  });
});

// Behaviour 18: If the default state directory, which depends on the environment, has changed since the builder was
// configured, each command uses the directory of the builder that is registered with Nix, and says so. A directory
// named on the command line is used as it is.
describe('a builder that is not where the default is now', needs('root'), () => {
  test('is found, and undone', async () => {
    using rig = configureRig();
    const env = { LINUXKIT_BUILDER_TREE: rig.tree, XDG_CACHE_HOME: join(rig.tree, 'other') };
    await rig.run('-q');
    const said: string[] = [];
    const context = contextOf(env, said);
    expect(layoutFor({}, context).root).toBe(rig.layout.root);
    expect(said).toEqual([expect.stringContaining(`yours in ${rig.layout.root}`)]);
    said.length = 0;
    const program = new Command().exitOverride();
    imageCommands(program.command('image'), context);
    // There is no lock of packages.
    await expect(program.parseAsync(['image', 'update'], { from: 'user' })).rejects.toThrow();
    expect(said.filter((line) => line.includes(rig.layout.root))).toHaveLength(1);
    const named = join(rig.tree, 'named');
    expect(layoutFor({ directory: named }, context).root).toBe(named);
    const { out, err } = await rig.anyWith(env, 'unconfigure', '--yes');
    expect(out.join('\n')).not.toContain(nothingToUndo);
    expect(err.join('\n')).toContain(rig.layout.root);
    expect(existsSync(rig.root.installed)).toBe(false);
  });

  test('is configured where it is, and deleted only by its name', async () => {
    using rig = configureRig();
    const env = { LINUXKIT_BUILDER_TREE: rig.tree, XDG_CACHE_HOME: join(rig.tree, 'other') };
    await rig.run('-q');
    expect((await rig.anyWith(env, 'configure', '-q')).failure).toBeUndefined();
    expect(existsSync(join(rig.tree, 'other/nix-linuxkit-builder'))).toBe(false);
    const { failure } = await rig.anyWith(env, 'unconfigure', '--purge', '--yes');
    expect(failure?.kind).toBe('directory-not-named');
    expect(existsSync(rig.layout.clientKey)).toBe(true);
    const named = await rig.anyWith(env, 'unconfigure', '--purge', '--yes', '-d', rig.layout.root);
    expect(named.failure).toBeUndefined();
    expect(existsSync(rig.layout.clientKey)).toBe(false);
  });

  test('is not taken where there is one in the default, or where it is gone', async () => {
    using rig = configureRig();
    const env = { LINUXKIT_BUILDER_TREE: rig.tree, XDG_CACHE_HOME: join(rig.tree, 'other') };
    await rig.run('-q');
    const usual = join(rig.tree, 'other/nix-linuxkit-builder');
    mkdirSync(join(usual, 'nix-state'), { recursive: true, mode: 0o700 });
    expect(layoutFor({}, contextOf(env)).root).toBe(usual);
    renameSync(usual, `${usual}.away`);
    renameSync(rig.layout.root, `${rig.layout.root}.away`);
    expect(layoutFor({}, contextOf(env)).root).toBe(usual);
  });
});

test('two directories are the same by what they are', () => {
  using rig = configureRig();
  expect(isSame(rig.systemPaths.home, `${rig.systemPaths.home}/.`)).toBe(true);
  expect(isSame(rig.systemPaths.home, rig.tree)).toBe(false);
  expect(isSame('/none', '/none/such')).toBe(false);
});

/** What a command is given, as far as a directory's name goes. */
const contextOf = (env: NodeJS.ProcessEnv, said: string[] = []): CliContext => ({
  env,
  home: '/nonexistent',
  assets: '',
  isTTY: false,
  signal: new AbortController().signal,
  out: () => undefined,
  err: (line) => said.push(plainly(line)),
  exit: () => undefined,
  onStopSignal: () => undefined,
  clock: undefined as never,
});
