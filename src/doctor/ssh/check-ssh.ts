/** The very ssh command that Nix runs for a builder, and whether a nix daemon answers to it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIdentity } from '../../guest/identity/identity.ts';
import { notYet, sshHint } from '../../guest/login/ssh-words.ts';
import type { CheckVerdict } from '../check-runner.ts';
import { daemonVariable } from '../../nix/daemon-environment.ts';
import { shellWord } from '../../system/shell.ts';
import { alias, guestUser, knownHostsLine } from '../../nix/ssh/stanza.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { quoted } from '../../system/plain-text.ts';
import { configFault, leftFault, sentNote, unfinished, type SshFault } from './check-ssh-config.ts';
import { greet, isPrinted, lastWords, sudoRefused, type Greeted } from './greeting.ts';
import {
  needsRoot,
  nixAnswers,
  notReachedAs,
  optionsVerdict,
  shellCannotRun,
  printedBySsh,
  printedByShell,
  loginShell,
} from './ssh-verdicts.ts';
import type { DoctorFacts } from '../facts.ts';
import { temporaryFolder } from '../../system/files/temporary.ts';
import { rootProgram } from '../../system/process/become-root.ts';

/** As root, or as whoever asks; as root without a password, or not at all. */
export async function sshAs(facts: DoctorFacts, who: 'user' | 'root'): Promise<CheckVerdict> {
  const directory = temporaryFolder('nix-ssh-');
  try {
    const known = join(directory, 'host-key');
    writeFileSync(known, knownHostsLine(readIdentity(facts.layout).host.public));
    const ssh = nixSsh(facts, who, known);
    const fault = await unfinished(facts, askerOf(facts, ssh));
    if (fault !== undefined) return unfinishedVerdict(ssh, fault);
    const answer = await ssh.greet();
    return answer === 'nix' ? await reached(facts, ssh) : await notReached(facts, ssh, answer);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The ssh that Nix calls as one of the two users. */
interface NixSsh {
  readonly who: 'user' | 'root';
  /** It is another user's: sudo is asked for it, without a password. */
  readonly needsSudo: boolean;
  /** The program, with sudo before it where that is needed. */
  readonly program: readonly string[];
  readonly options: ReturnType<typeof sshOptionsOfNix>;
  /** The whole command, to be tried by hand. */
  readonly shown: string;
  /** Asks as Nix does; or with other words than those of NIX_SSHOPTS, or without what ssh says when it has logged in. */
  readonly greet: (change?: {
    readonly more?: readonly string[];
    readonly started?: boolean;
  }) => Promise<Greeted>;
}

/** `known`: a file with the guest's key as Nix writes it, which is removed when the check is over. */
function nixSsh(facts: DoctorFacts, who: 'user' | 'root', known: string): NixSsh {
  const { layout, context, systemPaths } = facts;
  const ssh = facts.program('ssh');
  const needsSudo = who === 'root' && process.getuid?.() !== 0;
  const asRoot = rootProgram(context.env['PATH']);
  const program = needsSudo ? [asRoot, '-n', ssh] : [ssh];
  const options = sshOptionsOfNix(facts, who);
  const words = options?.words ?? [];
  // The same key lies there for good, so that the command can be tried by hand.
  const kept = who === 'root' ? systemPaths.roots.knownHosts : layout.knownHosts;
  // ssh splits the value at spaces.
  const shownKnown = kept.includes(' ') ? `"${kept}"` : kept;
  const byHand = [ssh, ...sshArgv(facts, who, { known: shownKnown, more: words })];
  return {
    who,
    needsSudo,
    program,
    options,
    shown: (needsSudo ? [asRoot, ...byHand] : byHand).map(shellWord).join(' '),
    greet: ({ more = words, started = true } = {}) =>
      greet([...program, ...sshArgv(facts, who, { known, more, started })], context),
  };
}

/** It answers; what of the configuration may still come to harm it is told. */
async function reached(facts: DoctorFacts, ssh: NixSsh): Promise<CheckVerdict> {
  const fact = nixAnswers;
  const left = await leftFault(facts, ssh.who);
  if (left !== undefined) return { kind: 'note', code: 'ssh-options-left', fact, why: left };
  const sent = await sentNote(facts, askerOf(facts, ssh));
  return sent === undefined
    ? { kind: 'good', fact }
    : { kind: 'note', code: 'variables-sent', fact, why: sent };
}

async function notReached(
  facts: DoctorFacts,
  ssh: NixSsh,
  answer: Exclude<Greeted, 'nix'>,
): Promise<CheckVerdict> {
  const { who, options, shown } = ssh;
  if (ssh.needsSudo && sudoRefused(answer))
    return { kind: 'not-asked', code: 'ssh-needs-root', why: needsRoot(shown) };
  const said = lastWords(answer);
  const seen = { program: 'ssh' } as const;
  // What NIX_SSHOPTS adds stands in no file of ssh, so that it is asked for before those are.
  if (options !== undefined && (await ssh.greet({ more: [] })) === 'nix')
    return { ...optionsVerdict(who, options, said), why: shown, seen };
  const fault = await faultOf(facts, ssh, answer);
  return {
    kind: 'bad',
    code: fault?.code ?? 'ssh-unanswered',
    what: `${notReachedAs(who)}: ${said}.${fault === undefined ? '' : ` ${fault.what}.`}`,
    why: shown,
    remedy: fault?.remedy ?? (answer === 'late' ? notYet : sshHint(said)),
    seen,
  };
}

/** What on this machine is to blame; undefined where nothing is found. */
async function faultOf(
  facts: DoctorFacts,
  ssh: NixSsh,
  answer: Exclude<Greeted, 'nix'>,
): Promise<SshFault | undefined> {
  const { who, greet: ask } = ssh;
  if (isPrinted(answer)) return printedFault(facts, who, await ask({ started: false }));
  return (await shellFault(facts, who)) ?? (await configFault(facts, askerOf(facts, ssh)));
}

const askerOf = (facts: DoctorFacts, { who, program }: NixSsh) => ({
  who,
  ssh: program,
  file: configurationOf(facts, who),
});

const unfinishedVerdict = ({ who, shown }: NixSsh, fault: SshFault): CheckVerdict => ({
  kind: 'bad',
  code: fault.code,
  what: `${notReachedAs(who)}: ${fault.what}.`,
  why: shown,
  remedy: fault.remedy,
  seen: { program: 'ssh' },
});

/**
 * The words with which Nix calls ssh for ssh-ng (ssh.cc); `known` holds the guest's key as Nix writes it, `more` are those of
 * NIX_SSHOPTS. `started` false leaves out what ssh has a shell of this machine say when it has logged in. In a tree the configuration that ssh would find by itself is named.
 */
export const sshArgv = (
  { tree, systemPaths }: Pick<DoctorFacts, 'tree' | 'systemPaths'>,
  who: 'user' | 'root',
  {
    known,
    more,
    started = true,
  }: { readonly known: string; readonly more: readonly string[]; readonly started?: boolean },
): readonly string[] => [
  ...configurationOf({ tree, systemPaths }, who),
  `${guestUser}@${alias}`,
  '-x',
  '-T',
  ...more,
  `-oUserKnownHostsFile=${known}`,
  ...(started ? ['-oPermitLocalCommand=yes', '-oLocalCommand=echo started'] : []),
  '-S',
  'none',
  '--',
  'nix-daemon',
  '--stdio',
];

const configurationOf = (
  { tree, systemPaths }: Pick<DoctorFacts, 'tree' | 'systemPaths'>,
  who: 'user' | 'root',
): readonly string[] =>
  tree === ''
    ? []
    : ['-F', who === 'root' ? systemPaths.roots.ssh : join(systemPaths.home, '.ssh/config')];

/** ssh runs what leads to a door that is a socket by `$SHELL -c`: undefined where that shell runs what it is told, or nothing needs it. */
async function shellFault(
  { context, config, tree }: DoctorFacts,
  who: 'user' | 'root',
): Promise<SshFault | undefined> {
  if (config().door === 'tcp') return undefined;
  const [value = '', where] = variableOf({ context, tree }, who, 'SHELL');
  if (value === '') return undefined;
  const ran = await run(value, ['-c', 'exec true'], { timeoutMs: 10_000, signal: context.signal });
  if (succeeded(ran)) return undefined;
  return shellCannotRun(quoted(value) ?? '', where);
}

/** Who it is that prints where Nix's own words belong. `quiet`: what came without the shell by which ssh says that it has logged in. */
function printedFault(facts: DoctorFacts, who: 'user' | 'root', quiet: Greeted): SshFault {
  const { program } = facts;
  if (quiet !== 'nix') return printedBySsh(program('ssh'));
  const [shell = loginShell, where] = variableOf(facts, who, 'SHELL');
  return printedByShell(`${quoted(shell) ?? ''}${where === '' ? '' : ` (SHELL in ${where})`}`);
}

/** What NIX_SSHOPTS adds to Nix's ssh, split at white space as Nix does it (ssh.cc); undefined where it is not set. */
function sshOptionsOfNix({ context, tree }: DoctorFacts, who: 'user' | 'root') {
  const [value, where] = variableOf({ context, tree }, who, 'NIX_SSHOPTS');
  const words = (value ?? '').split(/[ \t\n]+/).filter((each) => each !== '');
  return value === undefined || words.length === 0 ? undefined : { value, where, words };
}

/** A variable of whose ssh it is, and where that is set. */
function variableOf(
  { context, tree }: Pick<DoctorFacts, 'context' | 'tree'>,
  who: 'user' | 'root',
  name: string,
): readonly [value: string | undefined, where: string] {
  if (who === 'user') return [context.env[name], 'your environment'];
  const daemons = daemonVariable(name, tree, new OthersFiles());
  return [daemons?.value, daemons?.file ?? ''];
}
