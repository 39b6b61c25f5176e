/** Why ssh does not reach the guest, where somebody else's configuration of ssh is the reason. */
import { alias } from '../../nix/ssh/stanza.ts';
import { strayOptions, variablesSent, type StrayOption } from '../../nix/ssh/effective.ts';
import { refusedIn } from '../../nix/ssh/refused.ts';
import { unfinishedIn } from '../../nix/ssh/unfinished.ts';
import { whereSet } from '../../nix/ssh/where-set.ts';
import { textOf } from '../../nix/ssh/ask-ssh.ts';
import { describeLeft, type TakenBack } from '../../nix/ssh/taken-back.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { quoted } from '../../system/plain-text.ts';
import { alsoApplies, excludeHost, otherLines, sendsToGuest } from './ssh-verdicts.ts';
import type { DoctorFacts } from '../facts.ts';
import type { FindingCode } from '../verdicts/finding-codes.ts';
import { rootTakenBack, userTakenBack } from '../../nix/ssh/user-ssh.ts';
import { ours, type Text } from '../../system/advice.ts';

/** What is in the way, and what mends it. */
export interface SshFault {
  readonly code: FindingCode;
  readonly what: string;
  readonly remedy: Text;
}

/** Whose ssh is asked, and how it is called. */
interface SshUser {
  readonly who: 'user' | 'root';
  /** The command up to ssh itself, `sudo` included. */
  readonly ssh: readonly string[];
  /** `-F FILE` where ssh would not find the configuration by itself. */
  readonly file: readonly string[];
}

/** Asks ssh twice what it makes of the host: by all of its configuration, and by our file alone. Undefined where they agree. */
export async function configFault(
  facts: DoctorFacts,
  { who, ssh, file }: SshUser,
): Promise<SshFault | undefined> {
  const { layout, systemPaths, asker } = facts;
  const ours = who === 'root' ? systemPaths.roots.sshConfig : layout.sshConfig;
  const alone = await asker.ask({ ssh, file: ['-F', ours], argv: [alias] });
  if (alone.kind !== 'listed') return undefined;
  const all = await asker.ask({ ssh, file, argv: [alias] });
  const asked = { ...facts, who };
  if (all.kind === 'unfinished') return unfinishedFault(asked);
  if (all.kind === 'refused') return refusedFault(all.words, asked);
  if (all.kind === 'silent') return undefined;
  const strays = strayOptions(alone.text, all.text);
  return strays.length === 0 ? undefined : straysFault(strays, { facts, who });
}

const refusedFault = (...asked: Parameters<typeof refusedIn>): SshFault => ({
  code: 'ssh-config-refused',
  ...refusedIn(...asked),
});

async function straysFault(
  strays: readonly StrayOption[],
  { facts, who }: { readonly facts: DoctorFacts; readonly who: SshUser['who'] },
): Promise<SshFault> {
  const named = strays.map(
    ({ name, value }) => `${name} ${value}${whereSet(name, { ...facts, who })}`,
  );
  return {
    code: 'ssh-config-overridden',
    what: otherLines(named),
    remedy: await remedyFor(strays, { facts, who }),
  };
}

/** Those that our stanza can take back it takes back by configure. */
async function remedyFor(
  strays: readonly StrayOption[],
  { facts, who }: { readonly facts: DoctorFacts; readonly who: SshUser['who'] },
): Promise<Text> {
  const { said } = await takenBackOf(facts, who);
  const isSaid = ({ name }: StrayOption) => said.some((each) => each.name.toLowerCase() === name);
  return strays.some(isSaid) ? ours('configure') : excludeHost;
}

/** ssh does not come to an end with its configuration, and so to no guest; undefined where it does. */
export async function unfinished(
  facts: DoctorFacts,
  { who, ssh, file }: SshUser,
): Promise<SshFault | undefined> {
  const listed = await facts.asker.ask({ ssh, file, argv: [alias] });
  return listed.kind === 'unfinished' ? unfinishedFault({ ...facts, who }) : undefined;
}

const unfinishedFault = (asked: Parameters<typeof unfinishedIn>[0]): SshFault => ({
  code: 'ssh-config-unfinished',
  ...unfinishedIn(asked),
});

/** What the guest is told by every login that it need not know; undefined where that is nothing, or ssh does not say. */
export async function sentNote(
  { asker }: DoctorFacts,
  { who, ssh, file }: SshUser,
): Promise<string | undefined> {
  const names = variablesSent(textOf(await asker.ask({ ssh, file, argv: [alias] })));
  return names.length === 0
    ? undefined
    : sendsToGuest(
        who,
        names.map((name) => quoted(name) ?? ''),
      );
}

/** What stays in the way of builds although ssh gets through, such as a limit on silence; undefined where nothing does. */
export async function leftFault(
  facts: DoctorFacts,
  who: SshUser['who'],
): Promise<Text | undefined> {
  const ours = who === 'root' ? facts.systemPaths.roots.sshConfig : facts.layout.sshConfig;
  const text = new OthersFiles().read(ours) ?? '';
  const { said, left } = await takenBackOf(facts, who);
  const unsaid = said.filter(({ name }) => !text.includes(`${name} `));
  const [first] = describeLeft(left, (name) => whereSet(name, { ...facts, who }));
  if (first !== undefined) return first;
  return unsaid[0] === undefined
    ? undefined
    : alsoApplies(unsaid[0].name, whereSet(unsaid[0].name, { ...facts, who }));
}

const takenBackOf = (facts: DoctorFacts, who: SshUser['who']): Promise<TakenBack> =>
  who === 'root' ? rootTakenBack({ ...facts, sudo: true }) : userTakenBack(facts);
