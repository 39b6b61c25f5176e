import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readInstalled } from '../../src/host/installed.ts';
import { rootLayout } from '../../src/host/places.ts';
import { rootNeeds, settleRoot, type RootOptions } from '../../src/host/root-files.ts';
import { parseRequest, performRootPart, type RootRequest } from '../../src/host/root-part.ts';
import { Failed } from '../../src/system/failure.ts';

let tree: string;
let request: RootRequest;
const said: string[] = [];

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "root's files-"));
  request = {
    rootHome: join(tree, 'root'),
    etcNix: join(tree, 'etc/nix'),
    owner: { name: 'jörg', uid: 1000, directory: '/state' },
    port: 24083,
    holdSeconds: 180,
    clientKey: 'PRIVATE\n',
    hostPublicKey: 'ssh-ed25519 AAAA',
    machinesLine: 'ssh-ng://builder@nix-linuxkit x86_64-linux - 1 1 - - AAAA',
    machineOption: 'nix.buildMachines',
    keeper: 'person',
  };
  said.length = 0;
});
afterEach(() => rmSync(tree, { recursive: true }));

/** What stands in for sudo: says that it was there, then runs the command, or refuses. */
function fakeSudo(body: string): string {
  const path = join(tree, 'sudo');
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The root part as a program of its own, as sudo would run it. */
function rootProgram(): string {
  const outfile = join(tree, 'root-part.cjs');
  const source = join(import.meta.dirname, '../../src/host/root-part.ts');
  buildSync({
    stdin: {
      contents: `
        import { readFileSync } from 'node:fs';
        import { parseRequest, performRootPart } from ${JSON.stringify(source)};
        if (process.argv[2] !== '--root-part') process.exit(64);
        console.log(JSON.stringify(performRootPart(parseRequest(readFileSync(0, 'utf8')), 0)));`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
  });
  return outfile;
}

const options = (over: Partial<RootOptions>): RootOptions => ({
  request,
  needs: rootNeeds(request, []),
  isRoot: false,
  requestFile: join(tree, 'request.json'),
  skip: false,
  self: [],
  sudo: '/nonexistent/sudo',
  now: 0,
  signal: new AbortController().signal,
  say: (line) => said.push(line),
  ...over,
});

describe("root's part", () => {
  test('is one command that is said first, with what it is for', async () => {
    const paths = rootLayout(request);
    const sudo = fakeSudo('exec "$@"');
    const self = [process.execPath, rootProgram()];
    const answer = await settleRoot(options({ sudo, self }));
    expect(answer?.changed).toEqual([
      paths.clientKey,
      paths.knownHosts,
      paths.sshConfig,
      paths.ssh,
      paths.machines,
    ]);
    expect(said.join('\n')).toContain(`${paths.machines}: Nix's list of builders`);
    expect(said.at(-1)).toContain('--root-part');
    expect(said.join('\n')).not.toContain('PRIVATE');
    expect(readFileSync(paths.clientKey, 'utf8')).toBe('PRIVATE\n');
    expect(statSync(paths.clientKey).mode & 0o777).toBe(0o600);
    expect(await settleRoot(options({ sudo: '/nonexistent' }))).toBeUndefined();
  });

  test.each([
    ['is not there', () => '/nonexistent/sudo', 'could not be run (ENOENT)'],
    ['refuses', () => fakeSudo('echo "a password is required" >&2; exit 1'), 'did not succeed'],
  ])('is a failure when sudo %s, and nothing is written', async (_, sudo, why) => {
    const failed = await settleRoot(options({ sudo: sudo(), self: ['node'] })).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(Failed);
    expect((failed as Failed).failure).toMatchObject({ kind: 'root-part-failed', exit: 77 });
    expect((failed as Failed).failure.message).toContain(why);
    expect((failed as Failed).failure.hint).toContain('--no-root');
    expect(existsSync(request.etcNix)).toBe(false);
  });

  test('skipped, is kept for later in a private file', async () => {
    const skipped = options({ skip: true, self: ['/a b/node', 'main.js'] });
    expect(await settleRoot(skipped)).toBeUndefined();
    expect(said.at(-1)).toContain(`'/a b/node' main.js --root-part < '`);
    expect(statSync(skipped.requestFile).mode & 0o777).toBe(0o600);
    expect(parseRequest(readFileSync(skipped.requestFile, 'utf8'))).toEqual(request);
    performRootPart(request, 0);
    await settleRoot(options({ skip: true }));
    expect(existsSync(skipped.requestFile)).toBe(false);
  });

  test('takes over no file that another user put in its place', () => {
    const { knownHosts } = rootLayout(request);
    mkdirSync(join(request.etcNix, 'linuxkit-builder'), { recursive: true });
    writeFileSync(knownHosts, 'nix-linuxkit ssh-ed25519 AAAA\n', { mode: 0o644 });
    if (process.getuid?.() === 0) chownSync(knownHosts, 65534, 65534);
    performRootPart(request, 0);
    expect(statSync(knownHosts).uid).toBe(process.getuid?.());
    expect(statSync(knownHosts).mode & 0o777).toBe(0o644);
    expect(readFileSync(knownHosts, 'utf8')).toBe('nix-linuxkit ssh-ed25519 AAAA\n');
  });

  test('done again, changes nothing; the receipts are where a removal finds them', () => {
    performRootPart(request, 0);
    const { installed, machines } = rootLayout(request);
    const first = readFileSync(installed, 'utf8');
    expect(statSync(installed).mode & 0o777).toBe(0o644);
    expect(readInstalled(installed)?.receipts.map(({ path }) => path)).toContain(machines);
    expect(performRootPart(request, 1).changed).toEqual([]);
    expect(readFileSync(installed, 'utf8')).toBe(first);
  });

  test('is refused to a second user, by the name of the first', () => {
    performRootPart(request, 0);
    const second = { ...request, owner: { name: 'ann', uid: 1001, directory: '/other' } };
    expect(() => performRootPart(second, 1)).toThrow('belongs to jörg (uid 1000)');
    expect(readInstalled(rootLayout(request).installed)?.owner.name).toBe('jörg');
  });

  test.each(['', '{}', '{"rootHome": "../x"}'])('takes no garbled request: %j', (text) =>
    expect(() => parseRequest(text)).toThrow(Failed),
  );

  test('takes no second line in what becomes a line', () => {
    const text = JSON.stringify({ ...request, machinesLine: 'ssh://a\nssh://b' });
    expect(() => parseRequest(text)).toThrow(Failed);
  });
});
