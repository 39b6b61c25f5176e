import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { layoutOf } from '../../src/config/layout.ts';
import { changeDiff } from '../../src/host/change-diff.ts';
import { examine, type WantedFile } from '../../src/host/file-change.ts';
import { setUpAdvice } from '../../src/host/for-everybody.ts';
import { readInstalled, refuseSecondUser } from '../../src/host/installed.ts';
import { refuseSecondDirectory } from '../../src/host/other-builder.ts';
import { lossOf } from '../../src/host/purge.ts';
import { readReceipts } from '../../src/host/receipts.ts';
import { closing, opening } from '../../src/host/root/root-shell.ts';
import {
  checkTrust,
  distrusted,
  distrustWarning,
  noPlaceFor,
} from '../../src/host/directory/state-directory.ts';
import { openByList } from '../../src/host/directory/private-directories.ts';
import { claimDirectory } from '../../src/host/directory/directory-mark.ts';
import { rootPaths, systemPathsOf } from '../../src/host/system-paths.ts';
import { directoryShownAs, tells } from './tell.ts';

const tree = directoryShownAs('/tree');
const put = (name: string, text: string): string => {
  const path = join(tree, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};
const wanted = (path: string, secret: boolean): WantedFile => ({
  path,
  purpose: 'where your ssh finds the guest',
  byHand: '',
  mode: 0o600,
  directoryMode: 0o700,
  content: { kind: 'whole', text: 'Host nix-linuxkit\n', secret },
});
const change = (secret: boolean) => {
  const found = examine(wanted(join(tree, 'new/ssh_config'), secret));
  return found.kind === 'change' ? changeDiff(found.change) : undefined;
};
const owner = { name: 'ann', uid: 501, directory: '/Users/ann/builder' };
const distrust = {
  foreign: { kind: 'foreign', path: '/builder', uid: 501 },
  open: { kind: 'open', path: '/builder' },
  planted: { kind: 'planted', path: '/builder/config.json', uid: 1001 },
  loose: { kind: 'loose', path: '/builder/config.json' },
  'below-others': { kind: 'below-others', path: '/home' },
} as const;
const systemPaths = { etcNix: '/etc/nix', rootHome: '/root' };

tells('host', {
  'A change, before it is made': {
    'of a file': () => change(false),
    'of a secret': () => change(true),
    'of what is no file': () => {
      mkdirSync(join(tree, 'folder'));
      return examine(wanted(join(tree, 'folder'), false));
    },
  },
  'What an earlier configure has kept': {
    'its record at root is damaged': () => readInstalled(put('root/installed.json', '{}')),
    'its record of changes is damaged': () => readReceipts(put('builder/receipts.json', '{}')),
  },
  'Another builder on this machine': {
    'belongs to another user': () => refuseSecondUser({ owner, replaced: {}, receipts: [] }, 1001),
    'and something of his own was looked for': () => {
      const text = JSON.stringify({ version: 2, owner: { ...owner, uid: 2 ** 30 } });
      put(rootPaths(systemPathsOf(tree)).installed.slice(tree.length), text);
      return setUpAdvice({ LINUXKIT_BUILDER_TREE: tree });
    },
    'is declared': () => {
      const declared = { by: 'nix-darwin', restart: 'sudo launchctl kickstart -k system/x' };
      refuseSecondUser({ owner, declared, replaced: {}, receipts: [] }, 1001);
    },
    'is in another directory': () => {
      const system = systemPathsOf(tree);
      const directory = dirname(put('other/config.json', '{}'));
      const text = JSON.stringify({ version: 2, owner: { ...owner, directory } });
      put(rootPaths(system).installed.slice(tree.length), text);
      refuseSecondDirectory(readInstalled(system.roots.installed), system, join(tree, 'mine'));
    },
  },
  'A state directory that is not to be trusted': {
    'it cannot be reached': () => {
      const loop = join(tree, 'loop');
      symlinkSync(loop, loop);
      checkTrust(layoutOf(loop), 'look', () => undefined);
    },
    'it is a file': () => noPlaceFor('/builder', '/builder'),
    'it would be below a file': () => noPlaceFor('/file/builder', '/file'),
    'it belongs to another user': () => distrusted(distrust.foreign, '/builder'),
    'others can write in it': () => distrusted(distrust.open, '/builder'),
    'others have put something there': () => distrusted(distrust.planted, '/builder'),
    'others can write a file in it': () => distrusted(distrust.loose, '/builder'),
    'others can replace it': () => distrusted(distrust['below-others'], '/home/builder'),
    'it belongs to another user, and is looked at': () => distrustWarning(distrust.foreign),
    'others can write in it, and it is looked at': () => distrustWarning(distrust.open),
    'a list of macOS opens it': () =>
      openByList({ path: '/builder/keys', entry: 'group:staff allow list,add_file' }, [
        '/builder/keys',
      ]),
    'it has files of others': () => claimDirectory(layoutOf(dirname(put('full/letter', '')))),
  },
  'A state directory of ours': {
    'it is marked': () => {
      const layout = layoutOf(join(tree, 'ours'));
      claimDirectory(layout);
      return readFileSync(layout.mark, 'utf8').trimEnd();
    },
    'what is lost with it': () => {
      const layout = layoutOf(join(tree, 'lost'));
      for (const directory of [layout.keys, layout.images])
        mkdirSync(directory, { recursive: true });
      writeFileSync(layout.disk, '');
      return lossOf(layout);
    },
  },
  "Root's script": {
    'how it begins': () => opening(rootPaths(systemPaths), { uid: 501, did: 'Wrote' }),
    'how a removal ends': () => closing,
  },
});
