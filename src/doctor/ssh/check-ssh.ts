/** The very ssh command that Nix runs for a builder, and whether a nix daemon answers to it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { readIdentity } from '../../guest/identity/identity.ts';
import { beginningIn, nixAnswer, question } from '../../guest/login/nix-question.ts';
import { sshHint } from '../../guest/login/ssh-words.ts';
import type { Verdict } from '../check-runner.ts';
import { daemonVariable } from '../../nix/daemon-environment.ts';
import { rootPaths } from '../../host/system-paths.ts';
import { shellWord } from '../../host/root/root-shell.ts';
import { alias, guestUser, knownHostsLine } from '../../nix/ssh/stanza.ts';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { quoted } from '../../system/plain-text.ts';
import { spawnFilter } from '../../system/process/filter.ts';
import { configFault, leftFault, type ConfigFault } from './check-ssh-config.ts';
import {
  needsRoot,
  nixAnswers,
  notReachedAs,
  optionsVerdict,
  shellCannotRun,
  printedBySsh,
  printedByShell,
  loginShell,
  blankLine,
  noAnswerIn,
  printsBefore,
} from './ssh-verdicts.ts';
import type { DoctorFacts } from '../facts.ts';
import { temporaryFolder } from '../../system/files/temporary.ts';

/** As root, or as whoever asks; as root without a password, or not at all. */
export async function sshAs(facts: DoctorFacts, who: 'user' | 'root'): Promise<Verdict> {
  const { layout, context, program } = facts;
  const needsSudo = who === 'root' && process.getuid?.() !== 0;
  const directory = temporaryFolder('nix-ssh-');
  try {
    const known = join(directory, 'host-key');
    writeFileSync(known, knownHostsLine(readIdentity(layout).host.public));
    const sudo = needsSudo ? ['sudo', '-n'] : [];
    const options = sshOptionsOfNix(facts, who);
    const command = (more: readonly string[], started?: boolean) => [
      ...sudo,
      program('ssh'),
      ...sshArgv(facts, who, { known, more, ...(started === undefined ? {} : { started }) }),
    ];
    const answer = await greet(command(options?.words ?? []), context);
    // The same key lies there for good, so that the command can be tried by hand.
    const kept = who === 'root' ? rootPaths(facts.places).knownHosts : layout.knownHosts;
    // ssh splits the value at spaces.
    const words = sshArgv(facts, who, {
      known: kept.includes(' ') ? `"${kept}"` : kept,
      more: options?.words ?? [],
    });
    const byHand = [...(needsSudo ? ['sudo'] : []), program('ssh'), ...words];
    const shown = byHand.map(shellWord).join(' ');
    if (answer === 'nix') {
      const fact = nixAnswers;
      const why = await leftFault(facts, who);
      return why === undefined ? { kind: 'good', fact } : { kind: 'note', fact, why };
    }
    if (needsSudo && sudoRefused(answer)) return { kind: 'not-asked', why: needsRoot(shown) };
    const said = lastWords(answer);
    const notReached = notReachedAs(who);
    const seen = { program: 'ssh' } as const;
    if (options !== undefined && (await greet(command([]), context)) === 'nix')
      return { ...optionsVerdict(who, options, said), why: shown, seen };
    const asker = { who, ssh: [...sudo, program('ssh')], file: configurationOf(facts, who) };
    const fault = isPrinted(answer)
      ? printedFault(facts, who, await greet(command(options?.words ?? [], false), context))
      : ((await shellFault(facts, who)) ?? (await configFault(facts, asker)));
    return {
      kind: 'bad',
      what: `${notReached}: ${said}.${fault === undefined ? '' : ` ${fault.what}.`}`,
      why: shown,
      remedy: fault?.remedy ?? sshHint(said),
      seen,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * The words with which Nix calls ssh for ssh-ng (ssh.cc); `known` holds the guest's key as Nix writes it, `more` are those of
 * NIX_SSHOPTS. `started` false leaves out what ssh has a shell of this machine say when it has logged in. In a tree the configuration that ssh would find by itself is named.
 */
export const sshArgv = (
  { tree, places }: Pick<DoctorFacts, 'tree' | 'places'>,
  who: 'user' | 'root',
  {
    known,
    more,
    started = true,
  }: { readonly known: string; readonly more: readonly string[]; readonly started?: boolean },
): readonly string[] => [
  ...configurationOf({ tree, places }, who),
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
  { tree, places }: Pick<DoctorFacts, 'tree' | 'places'>,
  who: 'user' | 'root',
): readonly string[] =>
  tree === ''
    ? []
    : ['-F', who === 'root' ? rootPaths(places).ssh : join(places.home, '.ssh/config')];

/** ssh runs what leads to a door that is a socket by `$SHELL -c`: undefined where that shell runs what it is told, or nothing needs it. */
async function shellFault(
  { context, config, tree }: DoctorFacts,
  who: 'user' | 'root',
): Promise<ConfigFault | undefined> {
  if (config().door === 'tcp') return undefined;
  const [value = '', where] = variableOf({ context, tree }, who, 'SHELL');
  if (value === '') return undefined;
  const ran = await run(value, ['-c', 'exec true'], { timeoutMs: 10_000, signal: context.signal });
  if (succeeded(ran)) return undefined;
  return shellCannotRun(quoted(value) ?? '', where);
}

/** Who it is that prints where Nix's own words belong. `quiet`: what came without the shell by which ssh says that it has logged in. */
function printedFault(facts: DoctorFacts, who: 'user' | 'root', quiet: Greeted): ConfigFault {
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
  const daemons = daemonVariable(name, tree, new OthersFiles().read);
  return [daemons?.value, daemons?.file ?? ''];
}

const patienceMs = 30_000;
const mostBytes = 64 * 1024;

/** A nix daemon answers; or why none did, or what is printed before its answer. */
type Greeted = 'nix' | 'late' | Printed | { readonly refused: string } | CommandResult;
interface Printed {
  readonly printed: string;
}
const isPrinted = (answer: Greeted): answer is Printed =>
  typeof answer === 'object' && 'printed' in answer;

/** Before the daemon's answer there is nothing, or the one word that Nix has ssh say on this machine. */
function beforeIt(bytes: Buffer): Printed | undefined {
  const text = bytes.toString('utf8').replace(/^started\n/m, '');
  return text === '' ? undefined : { printed: quoted(text.trim().split('\n')[0]) ?? blankLine };
}

/** Asks, and keeps the line open until an answer comes: a daemon whose input ends says nothing. */
async function greet(
  [program = '', ...argv]: readonly string[],
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Greeted> {
  const over = new AbortController();
  const scope = AbortSignal.any([signal, over.signal]);
  try {
    const input = new PassThrough();
    // ssh may end before it has read this.
    input.on('error', () => undefined);
    input.write(question);
    const { output, ended } = spawnFilter(program, argv, input, { signal: scope });
    const answered = new Promise<Greeted>((resolve) => {
      let bytes = Buffer.alloc(0);
      output.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]).subarray(0, mostBytes);
        const begins = beginningIn(bytes);
        if (begins < 0) return;
        const answer = nixAnswer(bytes.subarray(begins));
        if (answer.kind === 'answered') resolve(beforeIt(bytes.subarray(0, begins)) ?? 'nix');
        if (answer.kind === 'refused') resolve({ refused: answer.why });
      });
    });
    const late = clock.sleep(patienceMs, scope).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    const first = await Promise.race([answered, ended, late]);
    signal.throwIfAborted();
    return first;
  } finally {
    over.abort(new Error('the greeting is over'));
  }
}

const sudoRefused = (answer: Greeted): boolean =>
  typeof answer === 'object' &&
  'ended' in answer &&
  (answer.ended.kind === 'not-started' || /^sudo: /m.test(answer.stderr));

function lastWords(answer: Exclude<Greeted, 'nix'>): string {
  if (answer === 'late') return noAnswerIn(patienceMs / 1000);
  if ('printed' in answer) return printsBefore(answer.printed);
  if ('refused' in answer) return answer.refused.replace(/\.$/, '');
  const { ended, stderr } = answer;
  // They may be the guest's: what its login says on its stderr comes here too.
  const last = quoted(stderr.trim().split('\n').at(-1));
  if (last !== undefined) return last.replace(/\.$/, '');
  return ended.kind === 'exited' ? `exit code ${ended.code}` : ended.kind;
}
