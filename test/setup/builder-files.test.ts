import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkConfig } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { rootRequest, userNeeds, type Builder } from '../../src/setup/builder-files.ts';
import { applyJournalled } from '../../src/setup/survey.ts';
import { withRoots } from '../../src/host/system-paths.ts';
import { applyUndo, undoStepsOf } from '../../src/host/undo.ts';
import { readReceipts } from '../../src/host/receipts.ts';
import { ownFiles, rootFiles, rootValuesOf } from '../../src/setup/root/root-plan.ts';
import { run } from '../../src/system/process/child.ts';
import { removeTree } from '../remove-tree.ts';

const host = {
  arch: 'x64',
  platform: 'linux',
  cpus: 8,
  memoryMiB: 16384,
  diskGiB: 500,
  diskFreeGiB: 200,
} as const;

let tree: string;
let builder: Builder;
let ssh: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'user Jörg-'));
  const parsed = checkConfig({ cpus: 4, maxJobs: 2 }, host);
  if (!parsed.ok) throw new Error('the settings are right');
  const layout = layoutOf(join(tree, 'state'));
  builder = {
    layout,
    systemPaths: withRoots({
      home: join(tree, 'home'),
      rootHome: join(tree, 'root'),
      etcNix: join(tree, 'nix'),
    }),
    config: parsed.config,
    settingsText: '{}\n',
    hostPublicKey: 'ssh-ed25519 AAAA',
    proxy: undefined,
    service: [],
    keeper: 'person',
    takenIn: undefined,
    owner: { name: 'jörg', uid: 1000, directory: layout.root },
  };
  ssh = join(builder.systemPaths.home, '.ssh/config');
});
afterEach(() => removeTree(tree));

const apply = (stop = new AbortController().signal) =>
  applyJournalled(userNeeds(builder), { layout: builder.layout, now: 0, stop });

describe("the user's part", () => {
  test('includes our configuration in that of the user, once', async () => {
    mkdirSync(join(builder.systemPaths.home, '.ssh'), { recursive: true });
    writeFileSync(ssh, 'Host *\n  Port 2222', { mode: 0o600 });
    apply();
    expect(userNeeds(builder)).toMatchObject({ changes: [], byHand: [] });
    const { stdout, stderr } = await run('ssh', ['-G', '-F', ssh, 'nix-linuxkit']);
    expect(stderr).toBe('');
    expect(stdout).toContain('\nport 24083\n');
    expect(stdout).toContain(`\nidentityfile ${builder.layout.clientKey}\n`);
    expect(readReceipts(builder.layout.receipts).map(({ path }) => path)).toEqual([ssh]);
  });

  test('leaves alone what home-manager made, and says what to add', () => {
    mkdirSync(join(builder.systemPaths.home, '.ssh'), { recursive: true });
    symlinkSync('/nix/store/00000000000000000000000000000000-hm/config', ssh);
    const { changes, byHand } = userNeeds(builder);
    expect(changes.map(({ wanted }) => wanted.path)).not.toContain(ssh);
    expect(byHand[0]?.text).toContain(`Include "${builder.layout.sshConfig}"`);
  });

  test('follows a link into a directory of dotfiles', () => {
    mkdirSync(join(builder.systemPaths.home, '.ssh'), { recursive: true });
    const dotfile = join(tree, 'dotfiles-ssh');
    writeFileSync(dotfile, 'Host a\n');
    symlinkSync(dotfile, ssh);
    apply();
    expect(userNeeds(builder).changes).toEqual([]);
  });

  test('writes through a link at whose end nothing is yet, and gives it back', () => {
    mkdirSync(join(builder.systemPaths.home, '.ssh'), { recursive: true });
    mkdirSync(join(tree, 'dotfiles'));
    const dotfile = join(tree, 'dotfiles/ssh');
    symlinkSync('../../dotfiles/ssh', ssh);
    apply();
    expect(readlinkSync(ssh)).toBe('../../dotfiles/ssh');
    expect(readFileSync(dotfile, 'utf8')).toContain(`Include "${builder.layout.sshConfig}"`);
    expect(userNeeds(builder)).toMatchObject({ changes: [], byHand: [] });
    undoStepsOf(readReceipts(builder.layout.receipts)).forEach(applyUndo);
    expect(readlinkSync(ssh)).toBe('../../dotfiles/ssh');
    expect(existsSync(dotfile)).toBe(false);
  });

  test('leaves a link into a directory that is not there, and says what to add', () => {
    mkdirSync(join(builder.systemPaths.home, '.ssh'), { recursive: true });
    const target = join(tree, 'not-mounted/ssh');
    symlinkSync(target, ssh);
    const { changes, byHand } = userNeeds(builder);
    expect(changes.map(({ wanted }) => wanted.path)).not.toContain(ssh);
    expect(byHand.map(({ path }) => path)).toEqual([ssh]);
    apply();
    expect(readlinkSync(ssh)).toBe(target);
  });

  test('interrupted, writes no further file', () => {
    expect(() => apply(AbortSignal.abort(new Error('stopped')))).toThrow('stopped');
    expect(userNeeds(builder).changes).toHaveLength(6);
  });

  test('says nothing twice where root is the user', () => {
    const { home } = builder.systemPaths;
    builder = { ...builder, systemPaths: withRoots({ ...builder.systemPaths, rootHome: home }) };
    expect(userNeeds(builder).changes.map(({ wanted }) => wanted.path)).not.toContain(ssh);
  });
});

test('root is told a few values, and no private key', () => {
  const request = rootRequest(builder);
  expect(rootValuesOf(request)).toEqual({
    port: 24083,
    holdSeconds: 180,
    system: 'x86_64-linux',
    maxJobs: 2,
    features: ['big-parallel', 'benchmark', 'linuxkit-builder'],
    hostPublicKey: 'ssh-ed25519 AAAA',
  });
  const { list } = ownFiles(request);
  expect(list.content.text).toMatch(
    /^ssh-ng:\/\/builder@nix-linuxkit x86_64-linux - 2 1 big-parallel,benchmark,linuxkit-builder - /,
  );
  expect(rootFiles(request).at(-1)?.byHand).toContain('maxJobs = 2;');
});
