/** A daemon's answers to every command, of one that has nothing to do: for tests that say some of them themselves. */
import type { Asker, Commands } from '../../src/supervisor/daemon/control.ts';
import { identify } from '../../src/system/process/process.ts';

export const nobody = { held: 0, opening: 0, open: 0, loggedIn: 0, entering: 0 };

/** One who asks for nothing beyond the command. */
export const asker: Asker = { gone: undefined, isForced: false };

export const calm: Commands = {
  drain: () => nobody,
  undrain: () => ({}),
  refuse: () => nobody,
  admit: () => ({}),
  restart: () => ({}),
  suspend: () => ({ goes: true }),
  resume: () => ({ was: 'there' }),
  gc: () => ({ isDone: true, diskBytes: 0, diskFreeBytes: 0 }),
  trim: () => ({ goesBack: true }),
  door: () => nobody,
  guest: () => ({}),
  keys: () => ({ told: true }),
  question: () => ({}),
  status: () => ({
    version: 1,
    phase: 'ready',
    since: '2026-01-01T00:00:00.000Z',
    sentence: 'Ready to build.',
    daemon: identify(process.pid) ?? { pid: process.pid, started: '', boot: '', program: 'node' },
  }),
};
