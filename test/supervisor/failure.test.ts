/** What each failure that a daemon can meet leads to. A kind that is new in the sources needs a place in this table. */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { isElsewhere, isOtherWay, isPermanent } from '../../src/supervisor/failure.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { cannotWrite } from '../../src/system/files.ts';

/** Kinds by what the daemon does when it loses a start, or its life, to them. */
const table = {
  /** It gives up: no second try can help. */
  permanent: [
    ...['config-invalid', 'identity-missing', 'identity-broken', 'program-missing'],
    ...[
      'image-missing',
      'image-below-floor',
      'image-truncated',
      'image-wrong-hash',
      'image-manifest-broken',
    ],
    ...['image-kernel-unknown', 'image-initrd-unknown', 'image-cmdline-bad'],
    ...[
      'image-other-system',
      'image-not-a-kernel',
      'disk-not-ours',
      'disk-too-large',
      'vm-lacks-part',
      'disk-unreadable',
      'host-disk-failed',
    ],
    ...[
      'no-accelerator',
      'no-locks',
      'node-unfit',
      'accelerator-unusable',
      'vm-would-refuse',
      'vm-usage',
      'vm-aborted',
    ],
    ...['vm-forbidden', 'vm-path-too-long', 'vm-kernel-refused', 'vm-no-forward'],
    ...['guest-seed-missing', 'guest-root-broken', 'guest-disk-missing', 'guest-disk-foreign'],
    ...['guest-disk-broken', 'guest-network-missing', 'guest-fence-broken', 'door-port-forbidden'],
  ],
  /** Tried again, and waited for longer: it is up to another process. */
  elsewhere: [
    ...['door-port-taken', 'disk-locked', 'vm-disk-busy', 'host-out-of-memory'],
    ...['host-disk-full', 'vm-limit'],
  ],
  /** The same start goes on in another way. */
  otherWay: ['accelerator-rejected', 'vm-rejected', 'network-rejected'],
  /** Tried again: it may have passed. An image that cannot be read may be so for want of descriptors. */
  retried: [
    ...['image-unreadable', 'image-rejected', 'cannot-write', 'socket-not-made', 'bug'],
    ...['door-port-unusable', 'leftover-stays', 'child-lock-held', 'vm-lock-held'],
    ...['network-lock-held', 'network-exited', 'network-refused', 'network-silent'],
    ...['network-stranger', 'accelerator-broken', 'vm-exited', 'vm-killed', 'vm-refused'],
    ...[
      'vm-crashed',
      'vm-error',
      'vm-network-away',
      'vm-slow-start',
      'vm-socket-taken',
      'vfkit-away',
      'vfkit-refused',
      'vfkit-silent',
      'vm-terminated',
      'vm-stuck',
      'vm-no-console',
      'qmp-closed',
      'qmp-refused',
      'qmp-silent',
    ],
    ...[
      'boot-timed-out',
      'guest-frozen',
      'guest-panicked',
      'guest-read-only',
      'guest-powered-off',
      'guest-rebooted',
    ],
    ...['guest-triple-fault', 'directory-lost', 'vm-watchdog'],
  ],
  /** No start is lost to them: they stay inside, are told by a verb, or come before there is a daemon. */
  never: [
    ...['agent-away', 'agent-refused', 'agent-silent', 'guest-silent', 'vm-mute'],
    ...['leftover-silent', 'keygen-failed', 'host-unsupported', 'stopped', 'not-ready-in-time'],
    ...['status-unreadable', 'daemon-already-runs', 'daemon-did-not-start'],
    ...['daemon-does-not-stop', 'daemon-not-running', 'daemon-refused', 'daemon-silent'],
  ],
} as const;

const failure = (kind: string): Failure => ({ kind, message: '', hint: '', exit: Exit.osError });

test('each kind in the sources has its place, and each place its kind', () => {
  expect(Object.values(table).flat().sort()).toEqual([...kindsInSources()].sort());
});

test.each(Object.values(table).flat())('%s is what it is taken for', (kind) => {
  const { permanent, elsewhere, otherWay } = table as Record<string, readonly string[]>;
  expect(isPermanent(failure(kind))).toBe(permanent?.includes(kind));
  expect(isElsewhere(failure(kind))).toBe(elsewhere?.includes(kind));
  expect(isOtherWay(failure(kind))).toBe(otherWay?.includes(kind));
});

test.each([
  ...[
    ['EROFS', true],
    ['EACCES', true],
    ['EPERM', true],
  ],
  ...[
    ['ENOSPC', false],
    ['EIO', false],
    ['EMFILE', false],
  ],
] as [string, boolean][])('what cannot be written for %s stays so: %s', (code, stays) => {
  const error = Object.assign(new Error(code), { code });
  expect(isPermanent(cannotWrite('/x', error))).toBe(stays);
});

/** All that is written as a Failure below the command line: `kind:` with its message, and the shorthands for it. */
function kindsInSources(): Set<string> {
  const kinds = new Set<string>();
  const src = resolve(import.meta.dirname, '../../src');
  for (const floor of ['system', 'config', 'vm', 'net', 'guest', 'door', 'supervisor'])
    for (const path of filesIn(join(src, floor))) {
      const name = basename(path);
      const text = readFileSync(path, 'utf8');
      const literal = /\bkind: '([a-z]+(?:-[a-z]+)+|bug|stopped)',\s*(?:message|hint)\b/g;
      for (const [, kind = ''] of text.matchAll(literal)) kinds.add(kind);
      if (name === 'bundle.ts')
        for (const [, kind = ''] of text.matchAll(/\bbad\(\s*'([a-z-]+)'/g)) kinds.add(kind);
      if (name === 'listen.ts')
        for (const [, kind = ''] of text.matchAll(/\['(door-[a-z-]+)', Exit/g)) kinds.add(kind);
      // A stage that the guest gave up at.
      if (name === 'boot.ts')
        for (const [, stage = ''] of text.matchAll(/^ {4}'([a-z-]+)': \{$/gm))
          kinds.add(`guest-${stage}`);
    }
  return kinds;
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
