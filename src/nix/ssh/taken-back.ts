/**
 * Which options of others' our stanza takes back beyond those that it always says: those that reach our host, where each ssh at hand
 * knows the word. What cannot be taken back is told.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, succeeded } from '../../system/process/child.ts';
import { textOf, type SshAnswer, type SshAsker } from './ask-ssh.ts';
import { alias, exceptGuest, guestAddress, guestUser, sibling } from './stanza.ts';
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
  /** ssh was not done with one of them in time. */
  readonly isUnfinished: boolean;
  /** Why ssh does not accept the first of them for any host, in its own words. */
  readonly refused: string | undefined;
}

interface TakenBackOptions {
  /** The command whose configuration it is, `sudo` included. */
  readonly ssh: readonly string[];
  /** What names that configuration, for each that is looked at: `-F FILE`, or nothing for the one that ssh finds by itself. */
  readonly configurations: readonly (readonly string[])[];
  /** Every ssh at hand, by its path: one that does not know a word would stop at it for every host. */
  readonly programs: readonly string[];
  readonly asker: SshAsker;
  readonly signal: AbortSignal;
}

// Nobody's name server is asked for a name that is nobody's; and nothing keeps ssh from the command that is there to be matched.
const asNix = ['-oCanonicalizeHostname=no', '-oRemoteCommand=none'];
const nixCommand = ['nix-daemon', '--stdio'];

/**
 * The guest as lines above ours know it, by its name alone; as lines below ours do, which a Match may go by (`Match host 127.0.0.1`,
 * `Match user builder`); both by a name of nobody's, for which our stanza says nothing. And itself, for lines that are for it alone.
 */
const asGuest: readonly (readonly string[])[] = [
  [...asNix, sibling, ...nixCommand],
  [`-oHostName=${guestAddress}`, `-oUser=${guestUser}`, ...asNix, sibling, ...nixCommand],
  [...asNix, alias, ...nixCommand],
];

type Found = SetOption & { readonly listing: string; readonly isForAll: boolean };

/** Asks ssh, by each of the configurations, what it would set for a host like ours. */
export async function takenBack(options: TakenBackOptions): Promise<TakenBack> {
  const { found, ...heard } = await findSet(options);
  const said: NewerOption[] = [];
  const left: LeftOption[] = [];
  for (const { option, value, listing, isForAll } of found.values()) {
    const why = !isForAll
      ? leftFor.named
      : isPassedOver(listing, option)
        ? leftFor.passedOver
        : await unknownTo(option, options);
    if (why === undefined) said.push(option);
    else left.push({ option, value, why });
  }
  return { said, left, ...heard };
}

/** The options that reach a host like ours, each as it was found first. */
async function findSet(options: TakenBackOptions) {
  const known = newerOptions(loopbackOf(process.platform));
  const found = new Map<NewerOption, Found>();
  const heard: SshAnswer[] = [];
  for (const file of options.configurations)
    for (const [index, argv] of asGuest.entries()) {
      const { listed, isPatched } = await askAnyway({ file, argv }, options);
      const listing = textOf(listed);
      heard.push(listed);
      const isForAll = index < asGuest.length - 1;
      for (const each of setIn(listing, known))
        if (found.get(each.option)?.isForAll !== true)
          found.set(each.option, { ...each, listing: isPatched ? '' : listing, isForAll });
    }
  const [first] = heard;
  return {
    found,
    isHeard: first?.kind === 'listed',
    isUnfinished: heard.some(({ kind }) => kind === 'unfinished'),
    refused: first?.kind === 'refused' && isThere(options) ? first.words : undefined,
  };
}

const isThere = ({ configurations: [file = []] }: TakenBackOptions): boolean =>
  file.length === 0 || existsSync(file.at(-1) ?? '');

/** Also where ssh stops at a word that it does not know: for our host it passes over that. */
async function askAnyway(
  { file, argv }: { readonly file: readonly string[]; readonly argv: readonly string[] },
  { ssh, asker }: TakenBackOptions,
) {
  const listed = await asker.ask({ ssh, file, argv });
  if (listed.kind !== 'refused') return { listed, isPatched: false };
  const patched = await asker.ask({ ssh, file, argv: ['-oIgnoreUnknown=*', ...argv] });
  return { listed: patched, isPatched: true };
}

/** Why one is left. */
export const leftFor = {
  passedOver:
    'IgnoreUnknown there shows that an ssh that does not support it also reads these files',
  named: `it is set for ${alias} itself`,
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
