import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { explain } from '../../src/cli/explain/explain.ts';
import type { CliContext } from '../../src/command/context.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { exampleNix } from '../../src/nix/example.ts';
import { machinesLine } from '../../src/nix/machines.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { silent } from '../../src/system/log.ts';
import { ours, plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { Failed } from '../../src/system/failure.ts';
import { asker, calm } from '../fakes/commands.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const system = process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux';
const names = ['NIX_CONF_DIR', 'NIX_STORE_DIR', 'NIX_STATE_DIR', 'NIX_LOG_DIR'];
let tree: string;

beforeEach(() => {
  // The programs of Nix get our environment: for these tests it leads to a Nix of their own. NIX_STORE_DIR takes no umlaut.
  tree = mkdtempSync(join(tmpdir(), 'explain-'));
  mkdirSync(join(tree, 'etc/nix'), { recursive: true });
  writeFileSync(join(tree, 'etc/nix/nix.conf'), 'build-users-group =\nsubstituters =\n');
  process.env['NIX_CONF_DIR'] = join(tree, 'etc/nix');
  for (const [name, folder] of [
    ['NIX_STORE_DIR', 'store'],
    ['NIX_STATE_DIR', 'var'],
    ['NIX_LOG_DIR', 'log'],
  ] as const)
    process.env[name] = join(tree, folder);
});
afterEach(() => {
  for (const name of names) Reflect.deleteProperty(process.env, name);
  removeTree(tree);
});

const context = (path = process.env['PATH']): CliContext => ({
  env: { PATH: path, LINUXKIT_BUILDER_TREE: tree },
  home: tree,
  assets: '/',
  out: () => undefined,
  err: () => undefined,
  isTTY: false,
  signal: new AbortController().signal,
  clock: systemClock,
  onStopSignal: () => undefined,
  exit: () => undefined,
});
const explained = (text: string, path?: string) => {
  const file = join(tree, 'x.nix');
  writeFileSync(file, text);
  return explain(file, layoutOf(join(tree, 'state')), context(path));
};

const usual = { cpus: 2, memoryMiB: 2048, diskGiB: 20, maxJobs: 2, features: [] };

describe('explain, with the real Nix', needs({ programs: ['nix-instantiate'] }), () => {
  test('reads the derivation and the settings, and finds what is missing', async () => {
    const { where, reasons } = await explained(exampleNix(system));
    expect(where).toBe('nowhere');
    const failing = reasons.filter(({ holds }) => !holds).map(({ text }) => text);
    expect(failing).toContain('the builder is not in the list');
    expect(failing).toContain('the daemon is not running');
    expect(failing).toContain('and lacks linuxkit-builder');
  });

  test('follows `builders` to the list', async () => {
    const features = ['linuxkit-builder'];
    const line = machinesLine({ system, maxJobs: 3, features, hostPublicKey: 'ssh-ed25519 AAAA' });
    writeFileSync(join(tree, 'etc/nix/machines'), `${line}\n`);
    const { reasons } = await explained(exampleNix(system));
    const failing = reasons.filter(({ holds }) => !holds).map(({ text }) => text);
    expect(failing).toEqual(['the daemon is not running', 'and lacks linuxkit-builder']);
    writeFileSync(join(tree, 'etc/nix/nix.conf'), 'builders =\n');
    const hidden = await explained(exampleNix(system));
    expect(hidden.reasons[1]).toMatchObject({ holds: false });
  });

  test('asks the daemon whether its builder was drained', async () => {
    const layout = layoutOf(join(tree, 'state'));
    mkdirSync(layout.state, { recursive: true });
    const door = { port: 1, draining: false, refusing: true } as const;
    const status = { ...(await calm.status(asker)), door };
    const control = await openControl(layout, { ...calm, status: () => status }, silent);
    try {
      const { reasons } = await explained(exampleNix(system));
      expect(reasons).toContainEqual({
        holds: false,
        text: expect.stringContaining('drained') as string,
        remedy: ours('undrain'),
      });
    } finally {
      control.close();
    }
  });

  test.each([
    ['tcg', 'qemu', 1],
    ['kvm', 'qemu', 0],
    ['tcg', 'auto', 0],
  ] as const)(
    'asks the VM program what its guest lacks: %s, %s',
    async (accelerator, vm, notes) => {
      const layout = layoutOf(join(tree, 'state'));
      mkdirSync(layout.state, { recursive: true });
      const builder = { ...usual, network: 'user', system: 'x86_64-linux', vm } as const;
      const status = { ...(await calm.status(asker)), accelerator, builder };
      const control = await openControl(layout, { ...calm, status: () => status }, silent);
      mkdirSync(join(tree, 'bin'));
      writeFileSync(join(tree, 'bin/qemu-system-x86_64'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      try {
        const path = `${join(tree, 'bin')}:${process.env['PATH'] ?? ''}`;
        expect((await explained(exampleNix(system), path)).notes).toHaveLength(notes);
      } finally {
        control.close();
      }
    },
  );

  test('says that it cannot tell when the list cannot be read, and names it', async () => {
    mkdirSync(join(tree, 'etc/nix/machines'));
    const { where, reasons } = await explained(exampleNix(system));
    expect(where).toBe('unknown');
    expect(reasons[0]).toMatchObject({
      holds: false,
      text: expect.stringContaining(join(tree, 'etc/nix/machines')) as string,
    });
  });

  test("fails with Nix's own words", async () => {
    const failed = await explained('{ syntax').catch((error: unknown) => error);
    expect((failed as Failed).failure).toMatchObject({ kind: 'nix-does-not-say' });
    expect((failed as Failed).failure.lines?.map(plainly).join(' ')).toContain('syntax error');
  });
});
