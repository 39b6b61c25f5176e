/** What is built while things are broken: derivations without inputs, whose builder is the sandbox's shell alone. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../real/command.ts';
import { nixBuild } from '../real/nix-client.ts';
import type { BuilderRig } from '../real/rig.ts';

/** Begins the first part of the build that is struck. */
export const beginPart = (rig: BuilderRig, round: number): Command =>
  begin(rig, `part-${round}`, part(round));

/** Begins the build that is struck: its first part, as far as it is not there, then some seconds of writing. */
export const beginWork = (rig: BuilderRig, round: number): Command =>
  begin(rig, `work-${round}`, work(round));

/** Begins the build that comes after: the struck one, as far as it is not there, and one more that takes a while. */
export const beginAgain = (rig: BuilderRig, round: number): Command =>
  begin(rig, `again-${round}`, `write "again-${round}" 20 [ (${work(round)}) ]`);

/** What a build says when it has begun in the guest. */
export const begunWords = (name: 'work' | 'again', round: number): string =>
  `the guest builds ${name}-${round}.`;

const part = (round: number) => `write "part-${round}" 0 [ ]`;
const work = (round: number) => `write "work-${round}" 40 [ (${part(round)}) ]`;

function begin(rig: BuilderRig, name: string, expression: string): Command {
  const file = join(rig.dir, `${name}.nix`);
  writeFileSync(file, `${library}${expression}\n`);
  return nixBuild(rig, file);
}

/** write NAME TENTHS INPUTS: 1 MiB at once, then 16 KiB every tenth of a second. The wait is for a pipe that nobody writes to. */
const library = String.raw`let write = name: tenths: inputs: derivation {
  inherit name inputs;
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" ''
    echo "the guest builds $name."
    text=0123456789abcdef
    for double in 1 2 3 4 5 6 7 8 9 10; do text=$text$text; done
    for n in 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 \
             1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8; do printf %s $text; done > $out
    exec 9<> <(:)
    for (( n = 0; n < ${'${toString tenths}'}; n++ )); do
      read -t 0.1 -u 9
      printf %s $text >> $out
    done
  '' ];
}; in `;
