/** How the inputs of a build that failed come into the guest: by the real Nix, whose ssh is asked where it was sent. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { bringInputs } from '../../src/cli/guest/bring-inputs.ts';
import { failureOf } from '../../src/system/failure.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
beforeEach(() => (tree = mkdtempSync(join(tmpdir(), 'lk-inputs-'))));
afterEach(() => {
  vi.unstubAllEnvs();
  removeTree(tree);
});

const programs = ['nix-store', 'nix-copy-closure'];

// Behaviour 243: `debug` works whatever characters the names of the state directory and of the directory for
// temporary files contain.
test(
  'ssh is sent to the guest, whatever the directories are called',
  needs({ programs }),
  async () => {
    const odd = join(tree, `ours,  "and" it's $HOME\n`);
    const [bin, store, temporary] = [join(tree, 'bin'), join(tree, 'store'), join(odd, 'T')];
    for (const path of [bin, store, temporary]) mkdirSync(path, { recursive: true });
    // It keeps the configuration that its words lead to, and reaches nobody.
    const script =
      'while [ $# != 0 ]; do [ "$1" != -F ] || cat "$2" >"$KEPT"; shift; done; exit 255';
    writeFileSync(join(bin, 'ssh'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const sshConfig = join(odd, 'ssh_config');
    writeFileSync(sshConfig, 'Host nix-linuxkit\n');
    const theirs = programs.map((name) => dirname(tryProgram(name) ?? ''));
    const env = {
      PATH: [bin, ...theirs, '/usr/bin', '/bin'].join(':'),
      HOME: tree,
      TMPDIR: temporary,
      NIX_REMOTE: store,
      KEPT: join(tree, 'kept'),
    };
    const added = execFileSync('nix-store', ['--add', sshConfig], { env, encoding: 'utf8' });
    vi.stubEnv('TMPDIR', temporary);
    const context = { env, signal: new AbortController().signal };
    const brought = bringInputs([added.trim()], { env, sshConfig }, context);
    expect(failureOf(await brought.catch((error: unknown) => error)).kind).toBe(
      'inputs-not-copied',
    );
    expect(readFileSync(env.KEPT, 'utf8')).toBe('Host nix-linuxkit\n');
  },
);
