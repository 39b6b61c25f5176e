/** In `doctor --report`: the logs that are not in the state directory, the launcher's and the unit's journal; and which image is used. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scrubbed } from '../../src/doctor/report/report-scrub.ts';
import { configureRig } from '../setup/configure-rig.ts';

type Rig = ReturnType<typeof configureRig>;

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

/** The report, by part. */
async function reportOf(rig: Rig): Promise<(title: string) => string> {
  const file = join(rig.tree, 'report.txt');
  const PATH = `${join(rig.tree, 'bin')}:${process.env['PATH'] ?? ''}`;
  const argv = ['doctor', '-d', rig.layout.root, '--report', file];
  await rig.anyWith({ LINUXKIT_BUILDER_TREE: rig.tree, PATH }, ...argv);
  const text = readFileSync(file, 'utf8');
  return (title) => text.split(/^== /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
}

/** A unit of ours, and a journal with these messages, newest last; gives what journalctl was asked. */
function journal(rig: Rig, folder: 'system' | 'user', messages: readonly unknown[]): () => string {
  const home = join(rig.systemPaths.home, '.config/systemd/user');
  const units = folder === 'user' ? home : join(rig.tree, 'etc/systemd/system');
  put(join(units, 'linuxkit-builder.service'), '[Service]\nExecStart=linuxkit daemon --managed\n');
  const start = Date.UTC(2026, 0, 1) * 1000;
  const entries = messages.map((message, at) =>
    JSON.stringify({ MESSAGE: message, __REALTIME_TIMESTAMP: String(start + at * 1_000_000) }),
  );
  put(join(rig.tree, 'entries'), `${entries.reverse().join('\n')}\n`);
  const asked = join(rig.tree, 'asked');
  const script = `#!/bin/sh\necho "$*" >'${asked}'\nexec cat '${join(rig.tree, 'entries')}'\n`;
  put(join(rig.tree, 'bin/journalctl'), script, 0o755);
  return () => readFileSync(asked, 'utf8');
}

const body = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ';
const key = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  body,
  'Zq8=',
  '-----END OPENSSH PRIVATE KEY-----',
];

describe('the report has', () => {
  test("the launcher's log, and that of a module's", async () => {
    using rig = configureRig();
    put(join(rig.systemPaths.home, 'Library/Logs/linuxkit-builder.log'), 'Node is gone\n');
    put(join(rig.layout.root, 'launchd.log'), `${key.join('\n')}\nthe disk is not there\n`);
    const part = await reportOf(rig);
    expect(part("launcher's log")).toContain('\nNode is gone\n');
    expect(part("nix-darwin's launcher")).toContain('\n[left out]\nthe disk is not there\n');
  });

  test('the one where the other cannot be read', async () => {
    using rig = configureRig();
    mkdirSync(join(rig.systemPaths.home, 'Library/Logs/linuxkit-builder.log'), { recursive: true });
    put(join(rig.layout.root, 'launchd.log'), 'the disk is not there\n');
    const asked = journal(rig, 'system', ['Started.']);
    const part = await reportOf(rig);
    expect(part("launcher's log")).not.toContain('(none)');
    expect(part("nix-darwin's launcher")).toContain('the disk is not there');
    expect(part("unit's journal")).toContain('2026-01-01T00:00:00.000Z Started.');
    expect(asked()).not.toContain('--user');
  });

  test("the end of a user's journal, oldest first, in which a key has a line each or one for all", async () => {
    using rig = configureRig();
    const long = 'so much of no matter '.repeat(150);
    const old = Array.from({ length: 500 }, (_, at) => `${at} ${long}`);
    const asked = journal(rig, 'user', [
      'the oldest',
      ...old,
      ...key,
      'between',
      key.join('\n'),
      [104, 105],
      null,
      'the newest',
    ]);
    const part = (await reportOf(rig))("unit's journal");
    expect(asked()).toContain('--user');
    expect(part).not.toContain('the oldest');
    expect(part).not.toContain(body);
    expect(part).not.toContain('Zq8=');
    expect(part).toMatch(
      /499 so much[^\n]*\n[^\n]*\[left out\]\n[^\n]*between\n[^\n]*\[left out\]\n[^\n]*the newest\n/,
    );
  });

  test('nothing of a journal where there is none', async () => {
    using rig = configureRig();
    mkdirSync(rig.layout.root, { recursive: true, mode: 0o700 });
    expect((await reportOf(rig))("unit's journal")).toContain('(none)');
  });
});

describe('of the images it names the one that is used', () => {
  const imagePart = async (settings: object, ...manifests: readonly string[]) => {
    using rig = configureRig();
    mkdirSync(rig.layout.root, { recursive: true, mode: 0o700 });
    put(rig.layout.config, JSON.stringify({ system: 'x86_64-linux', ...settings }));
    for (const name of manifests) put(join(rig.layout.images, `${name}-manifest.json`), '{}');
    return (await reportOf(rig))('image').trim().split('\n').slice(1);
  };

  // One of these manifests cannot be read: the others are told.
  test('that was made here', async () => {
    expect(await imagePart({}, 'builder', 'other')).toEqual([
      expect.stringMatching(/^builder \(in use\): /),
      expect.stringMatching(/^other: /),
    ]);
  });

  test("that is somebody's own, without its path", async () => {
    const lines = await imagePart({ bundle: '/srv/secret/linux' }, 'builder');
    expect(lines).toEqual([
      expect.stringMatching(/^builder: /),
      expect.stringMatching(/^the bundle \(in use\): /),
    ]);
  });

  test('where the settings do not say which, none', async () => {
    expect(await imagePart({ cpus: 'many' }, 'builder')).toEqual([
      expect.stringMatching(/^builder: /),
    ]);
  });
});

test.each([
  ['Jan 01 00:00:00 mac linuxkit-builder[12]: '],
  ['2026-01-01T00:00:00+0100 mac node[1234]: '],
  ['2026-01-01T00:00:00.123456+01:00 mac linuxkit-builder@default[12]: '],
  ['linuxkit-builder[12]: '],
  ['2026-01-01T00:00:00.000Z '],
])('a key is found behind %j on each of its lines', (prefix) => {
  const text = [...key, 'and then'].map((line) => `${prefix}${line}`).join('\n');
  const nothing = { names: [], secrets: [], values: [], texts: [] };
  expect(scrubbed(text, nothing)).toBe(`${prefix}[left out]\n${prefix}and then`);
});
