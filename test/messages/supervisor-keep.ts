/** What the daemon says of itself, of the disk, of suspended guests, and of what is left of an earlier daemon. */
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import type { Command } from '../../src/supervisor/daemon/control-protocol.ts';
import { ask, daemonSilent } from '../../src/supervisor/daemon/ask-daemon.ts';
import { directoryAbsent } from '../../src/supervisor/daemon/daemon.ts';
import { alreadyRuns } from '../../src/supervisor/daemon/daemon-lock.ts';
import { noCaffeinate } from '../../src/supervisor/daemon/keep-awake.ts';
import { noDaemon } from '../../src/supervisor/daemon/no-daemon.ts';
import { diskLocked } from '../../src/supervisor/disk/disk-free.ts';
import { describeExposure } from '../../src/supervisor/disk/disk-record.ts';
import { diskTooLarge } from '../../src/supervisor/disk/disk-size.ts';
import { diskFailed } from '../../src/supervisor/disk/disk-trouble.ts';
import { prepareDisk, unreadable } from '../../src/supervisor/disk/disk.ts';
import { notConnected } from '../../src/supervisor/disk/vm-pause.ts';
import { keepIncident, vmMute } from '../../src/supervisor/health/incident.ts';
import { chooseGuest, complains, notResumed } from '../../src/supervisor/idle/comeback.ts';
import * as idle from '../../src/supervisor/idle/idle-failures.ts';
import { differenceIn } from '../../src/supervisor/suspend/guest-identity.ts';
import { commitSaved, takeSaved } from '../../src/supervisor/idle/saved-guest.ts';
import { vmExited } from '../../src/supervisor/health/child-failures.ts';
import { cutShort, noteFailure, readTrial } from '../../src/supervisor/suspend/suspend-trial.ts';
import { obstacles } from '../../src/supervisor/idle/suspend-obstacle.ts';
import { bootPage, bootTable } from '../../src/supervisor/status/boot-picture.ts';
import { placeNames } from '../../src/supervisor/status/day.ts';
import { doorNotes } from '../../src/supervisor/status/door-status.ts';
import { readStatus, statusUnreadable } from '../../src/supervisor/status/status.ts';
import { leftoverStays } from '../../src/supervisor/stop/end-leftover.ts';
import { endedTooEarly } from '../../src/supervisor/stop/end-scope.ts';
import { askDeadline } from '../../src/supervisor/stop/leftovers.ts';
import { advice } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { calm } from '../fakes/commands.ts';
import { directoryShownAs, type States } from './tell.ts';

const tree = directoryShownAs('/builder');
const silence = () => undefined;
/** A state directory of its own. */
const fresh = (name: string): Layout => {
  const layout = layoutOf(join(tree, name));
  mkdirSync(layout.state, { recursive: true });
  return layout;
};

/** What a daemon is heard to say to a command, where it answers this. */
async function heard(name: string, answer: string): Promise<unknown> {
  const layout = fresh(name);
  const server = createServer((peer) => {
    peer.on('error', silence).once('data', () => peer.end(answer));
  }).listen(layout.control);
  await once(server, 'listening');
  try {
    return await ask(layout, 'door', systemClock);
  } finally {
    server.close();
  }
}

export const daemon: States = {
  'another one is running': () => alreadyRuns(4711),
  'another one is running, or a stop': () => alreadyRuns(undefined),
  'its directory is not there': () => directoryAbsent('/builder'),
  'it is not running': () => {
    const layout = fresh('stopped');
    writeFileSync(layout.config, '{}');
    return noDaemon(layout);
  },
  'it does not answer': () => daemonSilent(layoutOf('/builder').control),
  'it refuses': () => heard('refusing', '{"ok":false}\n'),
  'it refuses and says why': () =>
    heard('explaining', '{"ok":false,"error":"The guest agent did not answer within 5 s."}\n'),
  "it refuses its group what is its account's": async () => {
    const layout = fresh('shared');
    chmodSync(layout.state, 0o710);
    const control = await openControl(layout, calm, silence);
    rmSync(layout.ownControl);
    try {
      return await ask(layout, 'gc', systemClock);
    } finally {
      control.close();
    }
  },
  'it does not know a command': async () => {
    const layout = fresh('older');
    const control = await openControl(layout, {} as never, silence);
    try {
      return await ask(layout, 'dance' as Command, systemClock);
    } finally {
      control.close();
    }
  },
  'it cannot keep a Mac awake, in its log': () => noCaffeinate,
  'its last status is not for us': () =>
    statusUnreadable('/builder/nix-state/status.json', 'EACCES'),
  'its last status is no file': () => {
    const layout = fresh('odd');
    mkdirSync(layout.status);
    return readStatus(layout);
  },
  'its door refuses': () =>
    advice`127.0.0.1:24083${doorNotes({ draining: false, refusing: true })}`,
  'its door is lost': () =>
    advice`/etc/nix/linuxkit-builder/door/socket${doorNotes({ draining: false, trouble: 'Its directory does not exist.' })}`,
};

const disk = (name: string, make: (path: string) => void) => {
  const layout = fresh(name);
  make(layout.disk);
  return prepareDisk(layout.disk, 2);
};

export const disks: States = {
  'it has something else': () =>
    disk('foreign', (path) => writeFileSync(path, Buffer.alloc(8192, 'x'))),
  'it cannot be opened': () => disk('folder', (path) => mkdirSync(path)),
  'it may not be opened': () => unreadable('/builder/nix-disk', 'EACCES', 'permission denied'),
  'another process has it': () => diskLocked('/builder/nix-disk'),
  'it is failing': () => diskFailed('/builder/nix-disk'),
  'it would be too long': () => diskTooLarge('/builder', 80, { most: 3, by: 'length' }),
  'it would have no room': () => diskTooLarge('/builder', 80, { most: 1, by: 'room' }),
  'there is no room at all': () => diskTooLarge('/builder', 80, { most: 0, by: 'room' }),
  'an old Nix had it': () => describeExposure({ at: '2026-01-01T00:00:00.000Z', nix: '2.28.0' }),
  'an unknown Nix had it': () => describeExposure({ at: '2026-01-01T00:00:00.000Z' }),
  'its VM cannot be told yet': () => notConnected,
};

const identity = { program: 'a', machine: 'b', guest: 'c', host: 'd', accelerator: 'tcg' };
/** Why a guest that was suspended is not taken, where this has happened to its files. */
function untaken(name: string, happen: (layout: Layout) => void): unknown {
  const layout = fresh(name);
  writeFileSync(layout.disk, 'disk');
  writeFileSync(layout.unfinishedMemory, 'memory');
  const at = '2026-01-01T00:00:00.000Z';
  commitSaved(layout, { identity, at, bootedAt: at, resumes: 0 });
  happen(layout);
  const taken = takeSaved(layout);
  return taken !== undefined && 'unfit' in taken ? taken.unfit : undefined;
}

const savedFacts = {
  version: 1,
  disk: '',
  memory: '',
  bytes: 1,
  at: '2026-01-01T00:00:00.000Z',
  bootedAt: '2026-01-01T00:00:00.000Z',
  resumes: 0,
} as const;

export const suspends: States = {
  'a trial of which nobody saw the end': () => cutShort,
  'a trial of which its VM program said something': () => {
    const layout = fresh('trial');
    const lines = ['qemu: Unknown savevm section or instance'];
    const failure = vmExited('qemu', { kind: 'exited', code: 1 }, undefined, lines);
    noteFailure(layout, '', failure, 0);
    return readTrial(layout)?.why;
  },
  'why it is stopped instead': () => Object.values(obstacles),
  'it is in use': () => idle.guestInUse,
  'there is no room': () => idle.noRoomForGuest,
  'it is needed again': () => idle.guestWanted,
  'it was suspended with other things': () =>
    Object.keys(identity).map((part) => differenceIn({ ...identity, [part]: 'kvm' }, identity)),
  'its record is damaged': () =>
    untaken('record', ({ suspended }) => writeFileSync(suspended, '{')),
  'its disk is another': () =>
    untaken('disk', (layout) => writeFileSync(layout.disk, 'written to')),
  'its file is another': () => untaken('file', (layout) => writeFileSync(layout.memory, 'other')),
  'it boots instead': () => {
    const notes: unknown[] = [];
    const facts = { note: (fact: { notResumed?: string }) => notes.push(fact.notResumed) };
    const world = { layout: fresh('boots'), log: silence, facts: facts as never };
    // One cast: the little of a config that is compared.
    const config = { memoryMiB: 4096, cpus: 2 } as Config;
    const settings = { memoryMiB: 2048, cpus: 2 };
    const saved = { ...savedFacts, identity: { ...identity, guest: '' }, settings };
    for (const taken of [{ unfit: 'its file is damaged' }, { unfit: endedTooEarly }, saved])
      chooseGuest(taken, identity, { ...world, config });
    return notes;
  },
  'it does not resume': () => notResumed('it did not answer within 20 s'),
  'its kernel complains as it is resumed': () => complains('watchdog: BUG: soft lockup'),
};

export const upkeep: States = {
  'the guest is not ready': () => idle.guestNotReady,
  'the guest is busy': () => idle.guestBusy,
  'the guest does not answer': () => idle.guestSilent,
};

export const leftovers: States = {
  'it stays': () => leftoverStays({ lock: '/builder/nix-disk.lock' }, 4711, 'qemu-system-x86_64'),
  'it stays, and is not known': () =>
    leftoverStays({ lock: '/builder/nix-disk.lock' }, undefined, undefined),
  'it does not answer': () => askDeadline.late(),
};

export const incidents: States = {
  'what is too long is left out': async () => {
    const layout = fresh('incident');
    const failure = idle.guestSilent;
    const facts = { notResumed: 'x'.repeat(200_000) };
    await keepIncident(
      { failure, facts, lines: [], machine: undefined },
      { layout, clock: systemClock, log: silence },
    );
    const [folder = ''] = readdirSync(layout.incidents);
    return readFileSync(join(layout.incidents, folder, 'state.json'), 'utf8').trimEnd();
  },
  'the VM program does not answer': () => vmMute,
};

const begun = '2026-01-01T00:00:00.000Z';
const boots = [
  {
    begun,
    steps: [
      { name: 'init', ms: 1000 },
      { name: 'ready', ms: 3000 },
    ],
    readyMs: 3000,
  },
  { begun, steps: [], readyMs: undefined },
];
const hour = 3_600_000;
const day = {
  from: 0,
  to: placeNames.length * hour,
  spans: placeNames.map((place, n) => ({ from: n * hour, to: (n + 1) * hour, place })),
  uses: [{ from: 0, to: hour }],
  memory: [{ at: 0, bytes: 1024 ** 3 }],
  counts: { suspends: 1, stops: 2, wakes: 1, uses: 1 },
};
/** What a person sees of a page. */
const seen = (page: string): string[] =>
  page
    .replace(/<style>.*<\/style>/s, '')
    .replaceAll(/aria-label="([^"]*)"[^>]*>/g, '>$1<')
    .split(/<[^>]*>|\n/)
    .filter((text) => text.trim() !== '');

export const pictures: States = {
  'starts, as a table': () => bootTable(boots),
  'no starts': () => bootTable([]),
  'starts and a day, as a page': () => seen(bootPage(boots, day)),
};
