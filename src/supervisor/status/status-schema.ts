/**
 * The status record as one schema: its type is made from it, a reader holds a record against it, and scripts/generate.js makes
 * docs/status.schema.json of it. Fields may be added; none is taken away or changes its meaning while `version` is 1.
 */
import * as v from 'valibot';
import type { Complaint } from '../../guest/console/complaints.ts';
import { phaseNames } from '../lifecycle/phases.ts';
import { builderSchema } from './builder-schema.ts';
import {
  away,
  failure,
  suspendGivenUp,
  maybe,
  pid,
  port,
  text,
  words,
  time,
  told,
  whole,
  count,
  type Told,
} from './schema-parts.ts';

const image = v.object({
  prefix: text,
  instead: maybe(
    told(
      v.object({ at: time, message: text }),
      'The last good image was booted, because the newest did not become ready: when, and why.',
    ),
  ),
  old: maybe(
    told(
      v.object({ version: maybe(text), why: text }),
      'It is below the lowest acceptable versions: why, and its version as `acceptOldImage` names it (absent for a bundle of your own).',
    ),
  ),
});

/** One thing that was seen during a start: a stage of the guest, or a step of ours. */
const seen = v.object({
  name: text,
  ms: told(whole, 'Time since the start began.'),
  uptimeS: maybe(told(v.number(), "The guest's own uptime, for its stages.")),
});

const login = v.variant('works', [
  v.object({ works: v.literal(true) }),
  v.object({
    works: v.literal(false),
    detail: told(text, 'What was seen instead.'),
    hint: words,
  }),
]);

const complaints = ['oops', 'stall', 'out-of-memory', 'read-only', 'restarted'] as const;
const complaint = v.object({
  what: v.picklist(complaints satisfies readonly Complaint[]),
  text,
  at: time,
});

/** What the supervisor knows beyond the state; every field is of the current start, or absent. */
const facts = {
  vmPid: maybe(pid),
  network: maybe(told(text, 'The network program, if there is one.')),
  networkPid: maybe(pid),
  networkTrouble: maybe(
    told(
      words,
      'The last output of the network program that matches a known fault: its cause and remedy.',
    ),
  ),
  accelerator: maybe(v.picklist(['kvm', 'hvf', 'tcg'])),
  vmChoice: maybe(
    told(v.object({ vm: text, why: text }), 'Which program runs the guest, and why.'),
  ),
  rejected: maybe(
    told(
      v.array(words),
      'A sentence for each VM program, accelerator or network program that was tried and does not work.',
    ),
  ),
  image: maybe(told(image, 'What the guest was booted from: the PREFIX of its files.')),
  tunnelPort: maybe(told(port, 'Where the VM program leads to sshd.')),
  timeline: maybe(told(v.array(seen), 'The milestones of this start, in order.')),
  clockOffsetMs: maybe(
    told(
      whole,
      "The guest's clock minus the host's, when the daemon last measured it; `guest.clockOffsetMs` is current.",
    ),
  ),
  lostSystems: maybe(
    told(
      v.pipe(v.array(text), v.minLength(1)),
      'Systems that Nix is told the builder builds, although a test program of theirs failed in the guest: such builds fail.',
    ),
  ),
  nixVersion: maybe(told(text, "The version of the guest's Nix, as it reports it.")),
  diskExposed: maybe(
    told(
      v.object({ at: time, nix: v.optional(text) }),
      'The disk was used by a guest whose Nix lets builds become root: since when, and which Nix if known. `disk reset` starts a new disk; `disk keep` ends the report.',
    ),
  ),
  health: maybe(
    told(v.picklist(['well', 'slow', 'frozen']), '`slow`: its agent does not answer in time.'),
  ),
  login: maybe(
    told(
      login,
      "What a login like Nix's showed while the agent is silent: whether builds get through.",
    ),
  ),
  complaints: maybe(
    told(
      v.array(complaint),
      'The last five things that the guest reported as wrong while it kept running: by its kernel, or, `restarted`, that one of its services ended and was restarted.',
    ),
  ),
  notResumed: maybe(told(text, 'Why a suspended guest booted instead of resuming.')),
  sleptMs: maybe(told(whole, "How long the host's last sleep was.")),
};

const door = v.object({
  port: maybe(port),
  socket: maybe(told(text, 'Its path, if the door is a socket.')),
  draining: told(v.boolean(), 'A stop waits for the connections to end; no new one is admitted.'),
  refusing: maybe(
    told(
      v.literal(true),
      'New connections are refused, so that Nix uses other builders, until `linuxkit-builder undrain`.',
    ),
  ),
  trouble: maybe(
    told(words, 'Why nobody can connect now, and the remedy. It is retried every 5 s.'),
  ),
});

/** A living process, told apart from another that was given its number. */
const process = v.object({ pid, started: text, boot: text, program: text });

/** The whole record. */
export const statusSchema = v.object({
  version: v.literal(1),
  phase: told(
    v.picklist(phaseNames),
    'In `ready`, Nix can build. In `away` there is no guest, and the next build starts it. In `failed` the daemon does not try again by itself; the first build after `until` causes another attempt.',
  ),
  since: told(time, 'When the phase began.'),
  sentence: told(words, 'The phase and its reason, as a sentence for users.'),
  attempt: maybe(told(count, 'The number of this start in a row; 0 after a stable one.')),
  because: maybe(told(failure, 'Why it is stopping, waiting or has failed.')),
  last: maybe(told(failure, 'Why the previous start ended.')),
  away: maybe(
    told(
      away,
      'The guest is away: what is left of it, and why. `unused`: unused for as long as `idle` says; `battery`, `memory`: unused, and the host runs on battery or is short of memory; `asked`: a user sent it away; `not-needed-yet`: the daemon started with `start` set to `demand`.',
    ),
  ),
  suspendGivenUp: maybe(
    told(
      suspendGivenUp,
      'The guest is stopped instead of suspended, because suspending has failed twice in a row. `verdicts --clear` ends this.',
    ),
  ),
  until: maybe(
    told(
      time,
      'In `backing-off`: when the next start is due. In `failed`: until then builds are refused; afterwards, or if absent, the next build causes another attempt.',
    ),
  ),
  ...facts,
  daemon: told(process, "The daemon's process."),
  release: maybe(
    told(
      text,
      'The version of the running daemon. After an upgrade it is the old one until the daemon is restarted.',
    ),
  ),
  door: maybe(told(door, 'The front door: a port of 127.0.0.1, or a Unix socket.')),
  builder: maybe(
    told(
      builderSchema,
      'What the guest was started with; before a start, what it will be. Without `bundle` it boots the image that `image build` made.',
    ),
  ),
  pending: maybe(
    told(
      v.array(v.object({ name: text, from: v.unknown(), to: v.unknown() })),
      'Settings that changed since the guest started; a restart applies them.',
    ),
  ),
  problems: maybe(
    told(
      v.array(v.object({ path: text, value: v.optional(v.unknown()), message: text, hint: words })),
      'What is wrong in config.json now; the daemon continues with its previous settings.',
    ),
  ),
});

/** As it is read back. */
export type Status = Told<v.InferOutput<typeof statusSchema>>;
/** What of it belongs to the current start. */
export type Facts = Pick<Status, keyof typeof facts>;
/** A step of a start, with its time. */
export type Seen = Told<v.InferOutput<typeof seen>>;

/** What any release's record has. */
const essentials = v.object({
  version: v.literal(1),
  phase: text,
  daemon: v.object({ pid: v.number() }),
});

/**
 * A record as a daemon of any release writes or says it; undefined for anything else. What this release does not know of stays, and the
 * value that is not what it takes it for is left out, with as little around it as can be: a daemon is not silent for a word that nobody
 * here understands.
 */
export function parseStatus(json: unknown): Status | undefined {
  if (!v.is(essentials, json)) return undefined;
  const known = structuredClone(json);
  // One at a time: what is taken out of a list moves the rest of it.
  const leavesOneOut = () =>
    (v.safeParse(statusSchema, known).issues ?? []).some(({ path = [] }) => leaveOut(path));
  while (leavesOneOut());
  // One cast: of a phase of another release its traits say what is known.
  return { sentence: `The phase is '${known.phase}'.`, ...known } as unknown as Status;
}

/** Takes out what the path leads to; where it is missing, that which is nothing without it. False where neither can be. */
function leaveOut(path: readonly v.IssuePathItem[]): boolean {
  const [first, last] = [path[0], path.at(-1)];
  if (first === undefined || last === undefined || String(first.key) in essentials.entries)
    return false;
  // One cast: what leads on is an object or a list.
  const holder = last.input as object;
  if (Array.isArray(holder)) return holder.splice(Number(last.key), 1).length > 0;
  const name = String(last.key);
  if (!Object.hasOwn(holder, name)) return leaveOut(path.slice(0, -1));
  return Reflect.deleteProperty(holder, name);
}
