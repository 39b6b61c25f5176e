/** Whether a guest can go on from its file: what it was saved with, beside what a start would be made with now. */
import { cpus } from 'node:os';
import * as v from 'valibot';
import type { Accelerator } from '../../domain/vm-programs.ts';
import { sha256 } from '../../system/digest.ts';
import { versionOf } from '../../system/files/stamp.ts';
import type { Launch } from '../../system/process/child.ts';
import { systemBuild } from '../../system/host/host.ts';
import { bootId } from '../../system/process/process.ts';

/** What a guest can go on with, and nothing else: each part named for whoever asks why it cannot. */
export const identitySchema = v.object({
  /** The VM program: another build of it reads another format, or gives the guest another machine. */
  program: v.string(),
  /** Its command line and environment: the machine. */
  machine: v.string(),
  /** Image, settings and keys that the guest booted with. */
  guest: v.string(),
  /** The host's system and processor; its boot too, where the guest sees the processor's own counter. */
  host: v.string(),
  /** By its name; absent in the record of an earlier release. */
  accelerator: v.optional(v.string()),
});

/** What must be the same for a guest to go on from its file. */
export type GuestIdentity = Readonly<v.InferOutput<typeof identitySchema>>;

/** What a start would be made with. */
export interface IdentityInput {
  /** Absolute path of the VM program, and what is launched for a guest that boots. */
  readonly program: string;
  readonly launch: Launch;
  readonly accelerator: Accelerator;
  /** What its boot files were made from. */
  readonly madeFrom: string;
  /** Default: this one. */
  readonly host?: HostNow;
}

/** The host as it is now. */
interface HostNow {
  /** As {@link systemBuild} has it. */
  readonly osBuild: string;
  readonly processor: string | undefined;
  readonly boot: () => string;
}

const ownHost = (): HostNow => ({
  osBuild: systemBuild(),
  processor: cpus()[0]?.model,
  boot: bootId,
});

/** By hashes: which part differs can be told, and nothing else of it. */
export function identityOf({
  program,
  launch,
  accelerator,
  madeFrom,
  host: { osBuild, processor, boot } = ownHost(),
}: IdentityInput): GuestIdentity {
  const host = [osBuild, processor, accelerator === 'tcg' ? undefined : boot()];
  return {
    program: digestOf(versionOf(program)),
    machine: digestOf([launch.argv, launch.env, accelerator]),
    guest: digestOf(madeFrom),
    host: digestOf(host),
    accelerator,
  };
}

/** What differs, for a person; undefined where nothing does. Pure. */
export function differenceIn(saved: GuestIdentity, now: GuestIdentity): string | undefined {
  const changes = {
    host: 'this machine was rebooted, or has another system or processor',
    program: 'the VM program has changed',
    guest: 'the image, its kernel command line or the keys have changed',
    machine: 'the command line of the VM program has changed',
  };
  const { accelerator = now.accelerator } = saved;
  if (accelerator !== now.accelerator)
    return `the accelerator has changed (${accelerator} to ${now.accelerator})`;
  // A cause before what it causes. A reboot may number the program's file anew, which is no other program; another program or image brings
  // another command line.
  for (const part of ['host', 'program', 'guest', 'machine'] as const)
    if (saved[part] !== now[part]) return changes[part];
  return undefined;
}

const digestOf = (value: unknown): string => sha256(JSON.stringify(value));
