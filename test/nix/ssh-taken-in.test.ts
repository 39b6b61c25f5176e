import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkConfig, type Config } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { foundReceipts, userNeeds, type Builder } from '../../src/setup/builder-files.ts';
import { applyJournalled } from '../../src/setup/survey.ts';
import { withRoots } from '../../src/host/system-paths.ts';
import { blockLines } from '../../src/host/managed-block.ts';
import { SshAsker } from '../../src/nix/ssh/ask-ssh.ts';
import { isTakenIn } from '../../src/nix/ssh/user-ssh.ts';
import { removeTree } from '../remove-tree.ts';

const { signal } = new AbortController();
let tree: string;
let builder: Builder;
/** The user's configuration of ssh. */
let file: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'taken Jörg-'));
  const layout = layoutOf(join(tree, 'state'));
  builder = {
    layout,
    systemPaths: withRoots({
      home: join(tree, 'home'),
      rootHome: join(tree, 'root'),
      etcNix: join(tree, 'nix'),
    }),
    config: configOf({}),
    settingsText: '{}\n',
    hostPublicKey: 'ssh-ed25519 AAAA',
    proxy: undefined,
    service: [],
    keeper: 'person',
    owner: { name: 'jörg', uid: 1000, directory: layout.root },
    takenIn: undefined,
  };
  file = join(builder.systemPaths.home, '.ssh/config');
  apply();
});
afterEach(() => removeTree(tree));

function configOf(settings: object): Config {
  const host = { arch: 'x64', platform: 'linux', cpus: 8, memoryMiB: 16384 } as const;
  const parsed = checkConfig(settings, { ...host, diskGiB: 500, diskFreeGiB: 200 });
  if (!parsed.ok) throw new Error('the settings are right');
  return parsed.config;
}

function apply(): void {
  const { layout } = builder;
  applyJournalled(userNeeds(builder), { layout, now: 0, stop: signal });
}

/** What configure finds, and does about it. */
async function configure(): Promise<boolean | undefined> {
  const takenIn = await isTakenIn({
    ours: builder.layout.sshConfig,
    file,
    asker: new SshAsker(signal),
  });
  builder = { ...builder, takenIn };
  apply();
  return takenIn;
}

const others = 'Host *.example\n  User me\n';
type Words = (ours: string, now: string) => string;

// Behaviour 188: The program asks ssh itself whether the user's configuration leads to the guest, so a mention in a
// comment, or for another host, does not count. If the configuration leads there, it is left as it is, however and
// wherever it names the guest.
describe('the configuration of ssh leads to the guest, and is left as it is', () => {
  test.each<[string, Words]>([
    ['a blank line above our block', (_, now) => `\n${now}`],
    ['a comment above it', (_, now) => `# mine\n${now}`],
    ['other hosts above it', (_, now) => `${others}\nHost *\n${now}`],
    ["another program's Include above it", (_, now) => `Include ~/.orbstack/ssh/config\n${now}`],
    ['ours among others', (ours) => `Include /none "${ours}"\n${others}`],
    ['another way to write it', (ours) => `include="${ours}"\n`],
    ['our lines themselves', (ours) => `${readFileSync(ours, 'utf8')}\n${others}`],
    [
      'a file by wildcards',
      (ours) => {
        const folder = join(dirname(file), 'conf.d');
        mkdirSync(folder);
        writeFileSync(join(folder, 'builder'), `Include "${ours}"\n`);
        return `Include "${folder}/*"\n`;
      },
    ],
  ])('%s', async (_, words) => {
    const text = words(builder.layout.sshConfig, readFileSync(file, 'utf8'));
    writeFileSync(file, text);
    expect(await configure()).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(userNeeds(builder).changes).toEqual([]);
    // What is taken in may change.
    builder = { ...builder, config: configOf({ port: 24999 }) };
    await configure();
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

describe('it does not, whatever it holds', () => {
  test.each<[string, Words]>([
    ['our line in a comment', (ours) => `# Include "${ours}"\n`],
    ['our line for another host', (ours) => `Host foo\n  Include "${ours}"\n`],
    ['a Host * above that says another port', (_, now) => `Host *\n  Port 99\n${now}`],
  ])('%s', async (_, words) => {
    const { sshConfig } = builder.layout;
    writeFileSync(file, words(sshConfig, readFileSync(file, 'utf8')));
    expect(await configure()).toBe(false);
    expect(await configure()).toBe(true);
    expect(blockLines(readFileSync(file))).toEqual([`Include "${sshConfig}"`]);
  });

  test('a file of ours that somebody has emptied', async () => {
    writeFileSync(builder.layout.sshConfig, '');
    expect(await configure()).toBe(false);
  });
});

test('nothing is known where ssh stumbles over a line, or ours is not there yet', async () => {
  const { sshConfig: ours } = builder.layout;
  writeFileSync(file, `NoSuchOption yes\n${readFileSync(file, 'utf8')}`);
  expect(await isTakenIn({ ours, file, asker: new SshAsker(signal) })).toBeUndefined();
  expect(
    await isTakenIn({ ours: `${ours}.none`, file, asker: new SshAsker(signal) }),
  ).toBeUndefined();
});

test('a removal without receipts finds our block wherever it stands', () => {
  writeFileSync(file, `# mine\n${readFileSync(file, 'utf8')}`);
  expect(foundReceipts(builder.layout, builder.systemPaths).map(({ path }) => path)).toEqual([
    file,
  ]);
  writeFileSync(file, others);
  expect(foundReceipts(builder.layout, builder.systemPaths)).toEqual([]);
});
