import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { settleRoot, type RootOptions } from '../../src/setup/configure/root-part.ts';
import { rootNeeds } from '../../src/setup/root/root-files.ts';
import { parseRootValues, rootValuesOf, type RootRequest } from '../../src/setup/root/root-plan.ts';
import { plainly } from '../../src/system/advice.ts';
import { Failed } from '../../src/system/failure.ts';
import { rootRequestIn } from './root-request.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
let request: RootRequest;
const said: string[] = [];

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "root's files-"));
  request = rootRequestIn(tree);
  mkdirSync(join(tree, 'root'));
  said.length = 0;
});
afterEach(() => removeTree(tree));

/** What stands in for sudo: does what that script says. */
function fakeSudo(body: string): string {
  const path = join(tree, 'sudo');
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const options = (over: Partial<RootOptions>): RootOptions => ({
  needs: rootNeeds(request),
  isRoot: false,
  sudo: '/nonexistent/sudo',
  signal: new AbortController().signal,
  err: (line) => said.push(plainly(line)),
  ...over,
});

// Behaviour 177: Root runs none of our programs and reads none of the user's files, unless an administrator asks for
// it (`--root-part`, `--owner-gone`) or root owns the daemon.
// Behaviour 178: `configure` and `unconfigure` show a script and have root run exactly that script. The script
// contains no private key and reads none.
describe("root's part", () => {
  test('is one script, given to sudo as an argument, and shown first with what it is for', async () => {
    const { paths } = request;
    // Nothing of it goes by a file or by the input, which sudo may record.
    const sudo = fakeSudo(
      '[ $# = 3 ] && [ -z "$(cat)" ] && [ "$1 $2" = "/bin/sh -c" ] && exec "$@"',
    );
    const wrote = await settleRoot(options({ sudo }));
    expect(wrote).toEqual(
      [
        paths.installed,
        paths.knownHosts,
        paths.ssh,
        paths.sshConfig,
        paths.list,
        paths.machines,
      ].map((path) => `Wrote ${path}`),
    );
    const shown = said.join('\n');
    expect(shown).toContain(`${paths.machines}: `);
    expect(shown).toContain('    install -d -m 755 "$ours"');
    expect(shown).toContain('ssh_config" \'Host nix-linuxkit\n');
    expect(shown).not.toContain('PRIVATE');
    expect(await settleRoot(options({ sudo: '/nonexistent' }))).toEqual([]);
  });

  // Behaviour 183: Without sudo, `configure` and `unconfigure` use doas. Without either, they say how to run the
  // script as root.
  test.each([
    [
      'is not there',
      () => '/nonexistent/sudo',
      '/nonexistent/sudo',
      'su root -c "$(linuxkit-builder configure --no-root)"',
    ],
    [
      'refuses',
      () => fakeSudo('echo "a password is required" >&2; exit 1'),
      'failed',
      'linuxkit-builder configure --no-root',
    ],
  ])('is a failure when sudo %s, and nothing is written', async (_, sudo, why, helps) => {
    const failed = await settleRoot(options({ sudo: sudo() })).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Failed);
    expect((failed as Failed).failure).toMatchObject({ kind: 'root-part-failed', exit: 77 });
    expect((failed as Failed).failure.message).toContain(why);
    expect(plainly((failed as Failed).failure.hint)).toContain(helps);
    expect(existsSync(request.paths.nix)).toBe(false);
  });
});

describe('what root may be told by others', () => {
  test('is a few values; what is left out is as by default', () => {
    const rest = {
      door: 'tcp',
      extraSystems: [],
      mandatoryFeatures: [],
      speedFactor: 1,
      protocol: 'ssh-ng',
    };
    expect(parseRootValues(JSON.stringify(rootValuesOf(request)))).toEqual({
      ...rootValuesOf(request),
      ...rest,
    });
    const more = {
      extraSystems: ['i686-linux' as const],
      mandatoryFeatures: ['kvm'],
      speedFactor: 2,
      protocol: 'ssh' as const,
    };
    const told = rootValuesOf({ ...request, ...more });
    expect(told).toMatchObject(more);
    expect(parseRootValues(JSON.stringify(told))).toEqual({ ...told, door: 'tcp' });
  });

  test.each<[string, unknown]>([
    ['another place', { ...told(), etcNix: '/home/mallory' }],
    ['an owner', { ...told(), owner: { name: 'ann', uid: 0, directory: '/' } }],
    ['a line', { ...told(), machinesLine: 'ssh-ng://root@evil' }],
    ['a port that is none', { ...told(), port: 65536 }],
    ['a port that is text', { ...told(), port: '24083\nProxyCommand x' }],
    ['a system that is none', { ...told(), system: 'x86_64-linux /k' }],
    ['two builders in a feature', { ...told(), features: ['a ; ssh-ng://root@evil'] }],
    ['a line break in a feature', { ...told(), features: ['a\nb'] }],
    ['a key that is none', { ...told(), hostPublicKey: '* * * * * root id' }],
    ['a second line after the key', { ...told(), hostPublicKey: `${told().hostPublicKey}\nx` }],
    ['nothing', {}],
  ])('is refused with %s', (_, value) =>
    expect(() => parseRootValues(JSON.stringify(value))).toThrow(Failed),
  );

  test('is refused where it is no JSON', () => expect(() => parseRootValues('')).toThrow(Failed));
});

const told = () => rootValuesOf(rootRequestIn('/'));
