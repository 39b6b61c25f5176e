/** The status for a person: one screen, one line a fact. Pure. */
import { isDrained } from '../../client/drained.ts';
import { describeChange } from '../../config/config-changes.ts';
import { counted } from '../../domain/counted.ts';
import { describeProblem } from '../../domain/problem.ts';
import { describeLost } from '../../nix/extra-systems.ts';
import type { ServiceState } from '../../service/keeper.ts';
import { describeExposure } from '../../supervisor/disk/disk-record.ts';
import { describeAge } from '../../vm/image-age.ts';
import { describeSlow } from '../../supervisor/health/login.ts';
import { doorNotes, whereOf } from '../../supervisor/status/door-status.ts';
import type { Failure } from '../../system/failure.ts';
import { describeGivenUp } from '../../supervisor/suspend/given-up.ts';
import { traitsOf } from '../../supervisor/lifecycle/phases.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import { crowdWords, doorWords, drainedLine, pastWords } from './door-words.ts';
import { describeSaved } from './saved-words.ts';
import { buildWords, diskWords, keptWords, memoryWords } from './guest-words.ts';
import type { LiveFacts } from './report-schema.ts';
import { advice, ours, type Text, textFor } from '../../system/advice.ts';

/** What is shown beside the status itself. `now`: wall time in ms. */
export interface Screen {
  readonly now: number;
  /** Version of the program that shows it. */
  readonly version?: string | undefined;
  /** The state directory that was named: what the commands in it are for. */
  readonly directory?: string | undefined;
  /** Columns of the terminal. */
  readonly width: number;
  /** When the current start began, and how long one usually takes; for the bar. */
  readonly start?: { readonly begun: number; readonly usualMs: number | undefined } | undefined;
  readonly live: LiveFacts;
  readonly job?:
    | ({
        readonly name: string;
        readonly starts: 'login' | 'boot';
        /** Whose it is where it is not ours, and what restarts it. */
        readonly whose?: { readonly by: string; readonly restart: string };
      } & ServiceState)
    | undefined;
  /** Why Nix will not come, where it does not know the builder. */
  readonly unregistered?: Text | undefined;
  /** Where nothing has been set up: what to do. */
  readonly notSetUp?: Pick<Failure, 'message' | 'hint'> | undefined;
  /** What is known of the trouble, from others' reports. */
  readonly known?: readonly Text[] | undefined;
}

/** A living daemon. */
export function aliveLines(status: Status, screen: Screen): string[] {
  const { because } = status;
  const lines = [
    ...unheardLines(screen),
    ...(isDrained(status) ? [drainedLine] : []),
    advice`${status.sentence} (${status.phase}${ifTime(status.since, ` for ${duration(screen.now - Date.parse(status.since))}`)})`,
    ...barLines(status, screen),
    ...(because?.lines ?? []).map((line) => advice`    | ${line}`),
    ...factsOf(status, screen).flatMap(([name, text]) => factLines(name, text, screen)),
  ];
  return lines.map((line) => textFor(line, screen.directory));
}

type Fact = readonly [name: string, text: Text | undefined];

/** In the order in which a person needs them. Without a name it goes on with what the one before it says. */
function factsOf(status: Status, screen: Screen): readonly Fact[] {
  const { builder, because, last, door } = status;
  const { now, live } = screen;
  const gaveUp = hasGivenUp(status);
  return [
    ['hint', gaveUp ? undefined : because?.hint],
    ['last error', last?.message],
    ...(screen.known ?? []).map((words) => ['', words] as const),
    ['builder', builderWords(status)],
    ['features', builder?.features.join(', ')],
    ['systems', status.lostSystems && describeLost(status.lostSystems)],
    ['nix', screen.unregistered ?? driftWords(live)],
    ['builds', buildWords(live)],
    ['kept', keptWords(live)],
    ['memory', memoryWords(live, builder)],
    ['disk', diskWords(live)],
    ['', status.diskExposed && describeExposure(status.diskExposed)],
    ['door', door && advice`${whereOf(door)}${doorWords(live)}${doorNotes(door)}`],
    ['waiting', crowdWords(live)],
    ['bypass', pastWords(live)],
    ['vm', vmWords(status)],
    ['chosen', status.vmPid === undefined ? undefined : status.vmChoice?.why],
    ['suspended', describeSaved(status, (at) => duration(now - Date.parse(at)))],
    ['suspending', status.suspendGivenUp && describeGivenUp(status.suspendGivenUp)],
    ['slow', status.health === 'slow' ? describeSlow(status.login) : undefined],
    ['image', imageWords(status, now)],
    ['old image', oldImageWords(status) ?? ageIn(live)],
    [
      'network',
      status.networkPid === undefined
        ? undefined
        : `${status.network ?? ''} pid ${status.networkPid}`,
    ],
    ['', status.networkTrouble],
    ...(gaveUp ? [] : (status.problems ?? [])).map(
      (problem) => ['invalid', describeProblem(problem)] as const,
    ),
    ['pending', pendingWords(status)],
    ...(status.rejected ?? []).map((line) => ['not used', line] as const),
    ...(status.complaints ?? []).map((each) => ['guest', complaintWords(each, now)] as const),
    ['clock', clockWords(live.guest?.clockOffsetMs ?? status.clockOffsetMs)],
    ['daemon', `pid ${status.daemon.pid}${jobWords(screen.job)}`],
    ['version', releaseWords(status, screen)],
    ['start', timelineWords(status)],
    ['incident', incidentWords(screen)],
  ];
}

/** A time that a daemon of another release says in a way of its own is left out. */
const ifTime = (text: string, words: string) => (Number.isNaN(Date.parse(text)) ? '' : words);

/** What a daemon that does not answer wrote last may be true no more. */
function unheardLines({ now, live: { unheardSince } }: Screen): string[] {
  if (unheardSince === undefined) return [];
  const ago = duration(now - Date.parse(unheardSince));
  return [`The daemon does not respond. Its last status, from ${ago} ago:`];
}

/** No daemon: what was heard of it last. */
export function goneLines(last: Status | undefined, screen: Screen): string[] {
  const isOver = last === undefined || traitsOf(last.phase).builds === 'ended';
  const { job, notSetUp } = screen;
  const lines = [
    notSetUp?.message ?? 'The daemon is not running.',
    ...(isOver
      ? []
      : [
          `  Its last known phase was '${last.phase}'${ifTime(last.since, `, since ${last.since}`)}.`,
        ]),
    ...(last?.because === undefined
      ? []
      : [`  ${last.because.message}`, advice`  ${last.because.hint}`]),
    ...(screen.known ?? []).map((words) => advice`  ${words}`),
    ...factLines('nix', driftWords(screen.live), screen),
    ...factLines('incident', incidentWords(screen), screen),
    ...(job === undefined ? [] : [`  ${knowsIt(job)}.`]),
    ...(job?.ended === undefined ? [] : [`  Its last run under ${job.name} ended ${job.ended}.`]),
    advice`  ${notSetUp?.hint ?? advice`Start it: ${ours('start')}`}`,
  ];
  return lines.map((line) => textFor(line, screen.directory));
}

/** How far a start is, against the usual time of the last ones. */
function barLines({ phase }: Status, { now, width, start }: Screen): string[] {
  if (traitsOf(phase).guest !== 'comes' || start === undefined) return [];
  const doneMs = Math.max(0, now - start.begun);
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  if (start.usualMs === undefined) return [`  ${seconds(doneMs)} s so far`];
  const words = ` ${seconds(doneMs)} s, usually ${seconds(start.usualMs)} s`;
  const cells = Math.max(5, Math.min(30, width - words.length - 5));
  // The last cell is for being ready.
  const filled = Math.min(cells - 1, Math.floor((doneMs / start.usualMs) * cells));
  return [`  [${'#'.repeat(filled)}${'-'.repeat(cells - filled)}]${words}`];
}

/** A fact in a line, or in several where the terminal is narrow; words are not broken. */
function factLines(
  name: string,
  text: Text | undefined,
  { width, directory }: Pick<Screen, 'width' | 'directory'>,
): string[] {
  if (text === undefined || text === '') return [];
  const room = Math.max(20, width - 13);
  const lines: string[] = [];
  for (const word of textFor(text, directory).split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.map((line, index) => `  ${(index === 0 ? name : '').padEnd(10)} ${line}`);
}

const builderWords = ({ builder }: Status): string | undefined =>
  builder &&
  `${[builder.system, ...(builder.extraSystems ?? [])].join(', ')}, ${counted(builder.cpus, 'CPU')}, ${builder.memoryMiB} MiB, ${counted(builder.maxJobs, 'job')}`;

type Said = NonNullable<Status['complaints']>[number];
const complaintWords = ({ what, text, at }: Said, now: number): string =>
  `${duration(now - Date.parse(at))} ago${what === 'restarted' ? '' : ', from the kernel'}: ${text}`;

const pendingWords = ({ pending = [] }: Status): Text | undefined =>
  pending.length === 0
    ? undefined
    : advice`${pending.map(describeChange).join('; ')} (to apply: ${ours('restart')})`;

const driftWords = ({ untold }: LiveFacts): Text | undefined =>
  untold && advice`${untold.sentence} To update them: ${untold.remedy}`;

const clockWords = (offsetMs: number | undefined): string | undefined =>
  offsetMs === undefined ? undefined : `${offsetMs} ms off this machine's`;

const incidentWords = ({ now, live: { incident } }: Screen): string | undefined =>
  incident &&
  `${duration(now - Date.parse(incident.at))} ago: ${incident.message} (${incident.folder})`;

function vmWords({ vmPid, builder, accelerator, health }: Status): string | undefined {
  if (vmPid === undefined) return undefined;
  const words = [
    `${builder?.vm ?? ''} pid ${vmPid}`,
    accelerator,
    health === 'well' ? undefined : health,
  ];
  return words.filter((each) => each !== undefined).join(', ');
}

const imageWords = ({ image }: Status, now: number): Text | undefined =>
  image?.instead &&
  advice`${image.prefix}, because the newest image failed to boot ${duration(now - Date.parse(image.instead.at))} ago: ${image.instead.message} (to rebuild it or try it again: ${ours('image build')})`;

/** One that does not start says so as its failure. */
const oldImageWords = (status: Status): Text | undefined =>
  status.image?.old && !hasGivenUp(status)
    ? advice`${status.image.old.why}${status.image.old.version === undefined ? '' : '; it is used because acceptOldImage allows it'} (to build a new one: ${ours('image build')})`
    : undefined;

/** Then its sentence says all of it. */
const hasGivenUp = ({ phase }: Status): boolean => traitsOf(phase).builds === 'never';
const ageIn = ({ imageAge }: LiveFacts): Text | undefined => imageAge && describeAge(imageAge);
const jobWords = (job: Screen['job']): string => (job === undefined ? '' : `; ${knowsIt(job)}`);

function knowsIt({ name, loaded, starts, whose }: NonNullable<Screen['job']>): string {
  const by =
    whose === undefined ? '' : `, as declared by ${whose.by} (to restart it: ${whose.restart})`;
  return `${loaded ? `${name} starts it at ${starts}` : `${name} has not loaded the daemon's job`}${by}`;
}

function releaseWords({ release }: Status, { version, job }: Screen): Text | undefined {
  if (release === undefined || version === undefined || release === version) return undefined;
  const restart = job?.whose?.restart ?? ours('restart');
  return advice`the daemon still runs ${release}; this program is ${version}. To upgrade the daemon: ${restart}`;
}

function timelineWords({ timeline = [] }: Status): string | undefined {
  const words = timeline.map(({ name, ms }) => `${name} ${(ms / 1000).toFixed(1)}`);
  return words.length === 0 ? undefined : `${words.join(', ')} s`;
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
