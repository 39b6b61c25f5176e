/**
 * Which options of others' our stanza takes back beyond those that it always says: those that reach our host, where each ssh at hand
 * knows the word. What cannot be taken back is told.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, succeeded } from '../../system/process/child.ts';
import { alias, exceptGuest } from './stanza.ts';
import {
  isPassedOver,
  loopbackOf,
  newerOptions,
  setIn,
  type NewerOption,
  type SetOption,
} from './newer.ts';
import { realOrItself } from '../../system/files/final-target.ts';
import { temporaryFolder } from '../../system/files/temporary.ts';

/** One that stays as somebody else has it, and why, as the end of a sentence. */
interface LeftOption extends SetOption {
  readonly why: string;
}

/** What a stanza does about the options of others. */
export interface TakenBack {
  /** The stanza says them. */
  readonly said: readonly NewerOption[];
  readonly left: readonly LeftOption[];
  /** The first of the configurations could be asked for. */
  readonly isHeard: boolean;
}

interface TakenBackOptions {
  /** The command whose configuration it is, `sudo` included. */
  readonly ssh: readonly string[];
  /** What names that configuration, for each that is looked at: `-F FILE`, or nothing for the one that ssh finds by itself. */
  readonly configurations: readonly (readonly string[])[];
  /** Every ssh at hand, by its path: one that does not know a word would stop at it for every host. */
  readonly programs: readonly string[];
  readonly signal: AbortSignal;
}

/** A name that a `Host *` is meant for too, and nothing of ours. */
const sibling = `${alias}-sibling`;

/** Asks ssh, by each of the configurations, what it would set for a host of nobody's: that is meant for ours too. */
export async function takenBack(options: TakenBackOptions): Promise<TakenBack> {
  const known = newerOptions(loopbackOf(process.platform));
  const found = new Map<NewerOption, SetOption & { readonly listing: string }>();
  let isHeard: boolean | undefined;
  for (const file of options.configurations) {
    const listing = await listingOf(sibling, file, options);
    isHeard ??= listing !== '';
    for (const each of setIn(listing, known)) found.set(each.option, { ...each, listing });
  }
  const said: NewerOption[] = [];
  const left: LeftOption[] = [];
  for (const { option, value, listing } of found.values()) {
    const why = isPassedOver(listing, option)
      ? leftFor.passedOver
      : await unknownTo(option, options);
    if (why === undefined) said.push(option);
    else left.push({ option, value, why });
  }
  return { said, left, isHeard: isHeard === true };
}

/** All that ssh would set for a host; nothing where it does not say. */
async function listingOf(
  host: string,
  configuration: readonly string[],
  { ssh, signal }: TakenBackOptions,
): Promise<string> {
  const [program = 'ssh', ...before] = ssh;
  // Nobody's name server is asked for a name that is nobody's.
  const argv = [...before, ...configuration, '-oCanonicalizeHostname=no', '-G', host];
  const ran = await run(program, argv, { timeoutMs: 10_000, signal });
  return succeeded(ran) ? ran.stdout : '';
}

/** Why one is left. */
export const leftFor = {
  passedOver:
    'IgnoreUnknown there shows that an ssh that does not support it also reads these files',
  unknown: (program: string) => `${program} does not support it and would fail for every host`,
};

/** A sentence or two for each option that stays in the way; `where` is what follows its name, such as ` (FILE, line 3)`. */
export const describeLeft = (
  left: readonly LeftOption[],
  where: (name: string) => string,
): readonly string[] =>
  left.map(
    ({ option: { name }, value, why }) =>
      `${name} ${value}${where(name)} also applies to the guest, and linuxkit-builder cannot override it: ${why}. Put it directly below a line \`${exceptGuest}\`, or remove it.`,
  );

/** Tried with each ssh, for a host that is not ours; undefined where all know the word. */
async function unknownTo(
  option: NewerOption,
  { programs, signal }: TakenBackOptions,
): Promise<string | undefined> {
  const directory = temporaryFolder('ssh-word-');
  try {
    const file = join(directory, 'config');
    writeFileSync(file, `Host ${alias}\n    ${option.name} ${option.neutral}\n`);
    for (const program of oneOfEach(programs)) {
      const ran = await run(program, ['-F', file, '-G', sibling], { timeoutMs: 10_000, signal });
      if (!succeeded(ran)) return leftFor.unknown(program);
    }
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const oneOfEach = (programs: readonly string[]): readonly string[] => [
  ...new Map(programs.map((path) => [realOrItself(path), path])).values(),
];
