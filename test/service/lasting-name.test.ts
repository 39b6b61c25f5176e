import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lastingName } from '../../src/service/lasting-name.ts';
import { removeTree } from '../remove-tree.ts';

let tree: string;
beforeEach(() => {
  tree = realpathSync(mkdtempSync(join(tmpdir(), 'names-')));
});
afterEach(() => removeTree(tree));

const at = (path: string) => join(tree, path);

/** A file of that version, and the links that its manager keeps. */
function install(file: string, links: Readonly<Record<string, string>>): void {
  mkdirSync(dirname(at(file)), { recursive: true });
  writeFileSync(at(file), '');
  for (const [link, to] of Object.entries(links)) {
    mkdirSync(dirname(at(link)), { recursive: true });
    rmSync(at(link), { force: true });
    symlinkSync(at(to), at(link));
  }
}

// Behaviour 195: A login job still starts the daemon after an upgrade of Node or of this program has deleted the old
// version's directory, because the job uses a path that the package manager keeps. If there is no such path, or if it
// no longer exists, the job uses the path that was valid when the job was made; `doctor` finds a job whose paths are
// all gone.
test.each<
  [string, (version: string) => string, (version: string) => Record<string, string>, string]
>([
  [
    'Homebrew, by its link on the PATH',
    (v) => `brew/Cellar/node/${v}/bin/node`,
    (v) => ({ 'path/node': `brew/Cellar/node/${v}/bin/node` }),
    'path/node',
  ],
  [
    'Homebrew, our own program',
    (v) => `brew/Cellar/linuxkit-builder/${v}/libexec/dist/main.js`,
    (v) => ({ 'brew/opt/linuxkit-builder': `brew/Cellar/linuxkit-builder/${v}` }),
    'brew/opt/linuxkit-builder/libexec/dist/main.js',
  ],
  [
    'nvm with a current one',
    (v) => `.nvm/versions/node/v${v}/bin/node`,
    (v) => ({ '.nvm/current': `.nvm/versions/node/v${v}` }),
    '.nvm/current/bin/node',
  ],
  [
    'fnm, not by the link of one shell',
    (v) => `fnm/node-versions/v${v}/installation/bin/node`,
    (v) => ({
      'fnm/aliases/default': `fnm/node-versions/v${v}/installation`,
      'state/fnm_multishells/12': `fnm/node-versions/v${v}/installation`,
    }),
    'fnm/aliases/default/bin/node',
  ],
  [
    'mise',
    (v) => `mise/installs/node/22.${v}/bin/node`,
    (v) => ({ 'mise/installs/node/22': `mise/installs/node/22.${v}` }),
    'mise/installs/node/22/bin/node',
  ],
  [
    'pnpm, our own program',
    (v) => `node_modules/.pnpm/lb@${v}/node_modules/lb/dist/main.js`,
    (v) => ({ 'node_modules/lb': `node_modules/.pnpm/lb@${v}/node_modules/lb` }),
    'node_modules/lb/dist/main.js',
  ],
  [
    'a profile of Nix, our own program',
    (v) => `nix/store/${v}-lb/lib/dist/main.js`,
    (v) => ({ '.nix-profile': `nix/store/${v}-lb` }),
    '.nix-profile/lib/dist/main.js',
  ],
  [
    'a profile of Nix, by its name on the PATH',
    (v) => `nix/store/${v}-node/bin/node`,
    (v) => ({ 'path/node': `nix/store/${v}-node/bin/node` }),
    'path/node',
  ],
])('%s', (_, file, links, name) => {
  const onPath = ['state/fnm_multishells/12/bin/node', file('1'), 'path/node'].map(at);
  install(file('1'), links('1'));
  const store = at('nix/store');
  const found = lastingName(at(file('1')), { home: tree, user: 'ann', onPath, store });
  expect(found).toBe(at(name));
  install(file('2'), links('2'));
  removeTree(dirname(at(file('1'))));
  expect(realpathSync(found)).toBe(at(file('2')));
});

// Its command for every version, which is another program, finds out by itself which one to run.
test('Volta: what its shim runs, and our own program, which keeps its path', () => {
  install('.volta/bin/volta-shim', { '.volta/bin/node': '.volta/bin/volta-shim' });
  const node = '.volta/tools/image/node/1/bin/node';
  const main = '.volta/tools/image/packages/lb/lib/node_modules/lb/dist/main.js';
  for (const file of [node, main]) {
    install(file, {});
    const world = { home: tree, user: 'ann', onPath: [at('.volta/bin/node')] };
    expect(lastingName(at(file), world)).toBe(at(file));
  }
});

test('what has one name alone keeps it, and a link to another version is none', () => {
  install('.nvm/versions/node/v1/bin/node', {});
  install('.nvm/versions/node/v2/bin/node', { '.nvm/current': '.nvm/versions/node/v2' });
  const file = at('.nvm/versions/node/v1/bin/node');
  expect(lastingName(file, { home: tree, user: 'ann', onPath: [at('none')] })).toBe(file);
  expect(lastingName('/none/such', { home: tree, user: 'ann', onPath: [] })).toBe('/none/such');
});
