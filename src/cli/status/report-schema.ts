/** What `status --json` prints: the daemon's record, and the facts of this moment that are not in it. */
import * as v from 'valibot';
import type { Difference } from '../../setup/root/root-drift.ts';
import {
  count,
  maybe,
  text,
  time,
  told,
  whole,
  words,
  type Told,
} from '../../supervisor/status/schema-parts.ts';
import { statusSchema } from '../../supervisor/status/status-schema.ts';

const crowd = v.object({
  uid: maybe(told(whole, 'Absent if the system does not report it.')),
  user: maybe(told(text, "The user's name, if there is one.")),
  waiting: count,
  newcomers: told(count, 'At the guest, and not logged in as far as is known.'),
});

/** A daemon of the release before does not tell who has logged in. */
const connections = v.object({
  held: told(count, 'They wait for the guest.'),
  crowd: maybe(
    told(crowd, 'The user with the most connections that have not logged in, if there are many.'),
  ),
  opening: count,
  open: told(count, 'They are through.'),
  loggedIn: maybe(
    told(count, 'How many of those that are through have logged in, as far as is known.'),
  ),
  entering: maybe(told(count, 'How many of the others are so new that they may be logging in.')),
});

const guest = v.object({
  builds: told(count, 'Running builds: users named nixbld* that have processes.'),
  diskBytes: told(whole, 'Size of the file system of its /nix.'),
  diskFreeBytes: whole,
  givesBack: maybe(
    told(
      v.object({ memory: v.boolean(), disk: v.boolean() }),
      'Whether what the guest frees returns to the host while it runs, according to its kernel.',
    ),
  ),
  kept: maybe(
    told(
      v.object({ directories: count, bytes: count }),
      'Directories of failed builds that `debug` keeps, and their size.',
    ),
  ),
  clockOffsetMs: whole,
});

const differs: readonly Difference['name'][] = [
  ...(['door', 'port', 'holdSeconds', 'key', 'system', 'maxJobs', 'features'] as const),
  ...(['mandatoryFeatures', 'speedFactor', 'protocol'] as const),
];
const untold = v.object({
  sentence: told(text, 'The difference as a sentence for users.'),
  remedy: told(words, "The one command that updates root's files."),
  differs: v.array(
    v.object({
      name: v.picklist(differs),
      told: maybe(told(v.union([whole, text]), "In root's files.")),
      set: maybe(told(v.union([whole, text]), 'In config.json.')),
    }),
  ),
  files: told(v.array(text), "Root's files that would be written."),
});

/** Each is absent where it is not known. */
const liveFacts = {
  past: maybe(
    told(
      v.object({ uid: whole, user: maybe(text), connections: count }),
      "Other users' connections to tunnelPort, past the front door: those of the user with the most.",
    ),
  ),
  connections: maybe(
    told(connections, 'Connections at the front door now: builds, copies, shells.'),
  ),
  guest: maybe(
    told(
      guest,
      'What the guest itself reports now. Absent unless it is ready and answers within 3 s.',
    ),
  ),
  memory: maybe(
    told(
      v.object({ residentBytes: whole }),
      'Host memory that the VM process uses, for the guest and itself.',
    ),
  ),
  disk: maybe(
    told(
      v.object({
        apparentBytes: told(whole, 'The size up to which it may grow.'),
        realBytes: told(whole, 'The space that it uses.'),
      }),
      "The guest's disk as the host sees it.",
    ),
  ),
  incident: maybe(
    told(
      v.object({ at: time, kind: text, message: text, folder: text }),
      'The last time that a guest froze or its kernel panicked, if recorded.',
    ),
  ),
  unheardSince: maybe(
    told(
      time,
      'The daemon is running and does not answer: when it wrote what is shown. Absent if the daemon itself answered.',
    ),
  ),
  imageAge: maybe(
    told(
      v.object({
        securityDate: maybe(time),
        days: count,
        newer: maybe(count),
        isOld: v.boolean(),
      }),
      "The age of the guest's image: the date of its index of Debian's security archive (absent if it was made without), the days since then, and how many packages were newer there at the last check, if any. `isOld` above 45 days.",
    ),
  ),
  untold: maybe(
    told(
      untold,
      "How root's files, from which nix-daemon's ssh and Nix know the builder, differ from the settings. Absent if they do not.",
    ),
  ),
};

/** Facts beside the record. */
export type LiveFacts = Told<v.InferOutput<v.ObjectSchema<typeof liveFacts, undefined>>>;

/** The record, whose parts may be absent where no daemon was heard, and the facts of this moment. */
export const reportSchema = v.object({
  running: told(
    v.boolean(),
    'Whether a daemon is running. If not, the rest is what was last known of it, or absent if there never was one.',
  ),
  ...v.partial(statusSchema).entries,
  ...liveFacts,
});
