import {
  chmodSync,
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
import { keepPrograms, storePathsOf, protectedPath } from '../../src/setup/configure/gc-roots.ts';
import type { CliContext } from '../../src/command/context.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { removeTree } from '../remove-tree.ts';

const path = '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-linuxkit-builder-0.1.0';
let tree: string;
const said: string[] = [];
const warned: string[] = [];

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'Jörgs roots-'));
  said.length = 0;
  warned.length = 0;
});
afterEach(() => removeTree(tree));

/** nix-store, standing in for a store that has that path: links it, or refuses. */
function nixStore(body: string): void {
  writeFileSync(join(tree, 'nix-store'), `#!/bin/sh\necho "$*" >>"$0.calls"\n${body}\n`);
  chmodSync(join(tree, 'nix-store'), 0o755);
}

const context = (assets: string): CliContext => ({
  env: { PATH: `${tree}:/usr/bin:/bin` },
  home: tree,
  assets,
  out: () => undefined,
  err: (line) => void warned.push(plainly(line)),
  isTTY: false,
  signal: new AbortController().signal,
  clock: systemClock,
  onStopSignal: () => undefined,
  exit: () => undefined,
});
const layout = () => layoutOf(join(tree, 'state'));
const link = () => join(layout().gcRoots, path.slice('/nix/store/'.length));
const keep = (assets: string, programs: readonly string[] | undefined = []) =>
  keepPrograms(layout(), context(assets), { programs, say: (line) => void said.push(line) });

describe("the garbage collector's roots", () => {
  test('are made once for each path of the store that the job names', async () => {
    nixStore('ln -s "$2" "$5"');
    await keep(path);
    expect(readFileSync(join(tree, 'nix-store.calls'), 'utf8')).toBe(
      `--realise ${path} --indirect --add-root ${link()}\n`,
    );
    expect(readlinkSync(link())).toBe(path);
    expect(said).toEqual([protectedPath(path)]);
    await keep(path);
    expect(said).toHaveLength(1);
  });

  test('go when the job goes, or names something else', async () => {
    mkdirSync(layout().gcRoots, { recursive: true });
    symlinkSync(path, link());
    await keepPrograms(layout(), context(path), { programs: undefined, say: () => undefined });
    expect(existsSync(layout().gcRoots) && readlinkIfThere(link())).toBeFalsy();
  });

  test('are made of what the daemon runs, too', async () => {
    nixStore('ln -s "$2" "$5"');
    const gvproxy = '/nix/store/zyxwvqrsnmlkjihgfdcba98765432100-gvproxy-0.8';
    await keep('/opt/ours', [`${gvproxy}/bin/gvproxy`, '/usr/bin/ssh']);
    expect(said).toEqual([protectedPath(gvproxy)]);
  });

  test('that cannot be made are told', async () => {
    nixStore('exit 1');
    await keep(path);
    expect(warned.join('')).toContain(`${path}, which starts the daemon`);
  });

  test('are none outside of the store', async () => {
    await keep('/opt/linuxkit-builder');
    expect([said, warned, existsSync(layout().gcRoots)]).toEqual([[], [], false]);
  });

  test('are of the path in the store, not of what is in it', () =>
    expect(storePathsOf([`${path}/bin/node`, `${path}/lib`, '/usr/bin/node'])).toEqual([path]));
});

function readlinkIfThere(at: string): string | undefined {
  try {
    return readlinkSync(at);
  } catch {
    return undefined;
  }
}
