/** A stand-in for macOS's caffeinate(8), as strict as it: -s and -w PID are what we use. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify } from '../../src/system/process/process.ts';

export interface FakeCaffeinate {
  /** The folder for the PATH. */
  readonly bin: string;
  /** Pids of those that live. */
  living(): number[];
  /** How many ever began. */
  begun(): number;
}

/** Writes it into a folder of its own below `dir`. */
export function fakeCaffeinate(dir: string): FakeCaffeinate {
  const bin = join(dir, 'caffeinate-bin');
  const pids = join(dir, 'caffeinate.pids');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'caffeinate'),
    `#!/bin/sh
usage() { echo 'usage: caffeinate [-disu] [-t timeout] [-w pid] [command arguments]' >&2; exit 64; }
[ $# = 3 ] && [ "$1" = -s ] && [ "$2" = -w ] || usage
case $3 in '' | *[!0-9]*) usage ;; esac
echo $$ >>'${pids}'
# Ends when that process does.
while kill -0 "$3" 2>/dev/null; do sleep 0.1; done
`,
  );
  chmodSync(join(bin, 'caffeinate'), 0o755);
  const all = () =>
    existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n').map(Number) : [];
  return {
    bin,
    begun: () => all().length,
    living: () => all().filter((pid) => identify(pid) !== undefined),
  };
}
