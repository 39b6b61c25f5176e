/** What schemas of records are put together from. */
import * as v from 'valibot';
import type { Advice, Text } from '../../system/advice.ts';
import { Exit } from '../../system/failure.ts';
import type { Rest } from '../lifecycle/state.ts';

/** A schema with what it means, in words. */
export const told = <S extends v.GenericSchema>(schema: S, description: string) =>
  v.pipe(schema, v.description(description));

/** Of a value that is as its type says, all the way down. */
export type Told<T> = T extends readonly (infer E)[]
  ? readonly Told<E>[]
  : T extends Advice
    ? T
    : T extends object
      ? { readonly [K in keyof T]: Told<T[K]> }
      : T;

/** A field that may be absent, and is never null. */
export const maybe = v.exactOptional;
export const text = v.string();
/** Sentences for a person: as the daemon puts them, then as a string. */
export const words: v.GenericSchema<Text> = v.string();
/** An integer, which may be negative. */
export const whole = v.pipe(v.number(), v.integer());
/** An integer from 0 on. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
/** Wall time, ISO 8601. */
export const time = v.pipe(text, v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));
export const pid = positive;
export const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));

/** A {@link Failure}, as it is told. */
export const failure = v.object({
  kind: told(text, 'Its stable name.'),
  message: text,
  hint: told(words, 'What to do.'),
  exit: told(v.picklist(Object.values(Exit)), 'As in sysexits(3).'),
  recovery: maybe(
    told(
      v.picklist(['retry', 'wait', 'other-way', 'give-up']),
      'What helps a start that ends with it: another attempt (also if absent), waiting for another process, the next of several ways, or nothing until a user changes something.',
    ),
  ),
  blames: maybe(
    told(
      v.picklist(['image', 'leftover']),
      'What is at fault: the image that was booted, or a process that an earlier run left behind.',
    ),
  ),
  vmFault: maybe(
    told(
      v.picklist(['lasts', 'passes', 'if-mute', 'devices', 'none']),
      'What the VM program has to do with it: it always fails this way here, it may not fail next time, it fails if the guest printed nothing, the guest did not find its devices, or nothing.',
    ),
  ),
  deaf: maybe(
    told(
      v.picklist(['frozen', 'dead']),
      'The guest can hardly be asked to shut down, or no longer.',
    ),
  ),
  suspendFault: maybe(
    told(
      v.literal(true),
      'Suspending the guest, or resuming it, may not work here. After two such failures in a row the guest is stopped instead.',
    ),
  ),
  needsSetUp: maybe(
    told(v.literal(true), 'Nothing has been set up; a user who can use another one needs nothing.'),
  ),
  blocksDaemon: maybe(
    told(
      v.literal(true),
      'The daemon cannot start until a user corrects it. If launchd or systemd started the daemon, it waits.',
    ),
  ),
  unanswered: maybe(
    told(v.literal(true), 'A program did not answer; it may answer the next time.'),
  ),
  isIncident: maybe(told(v.boolean(), 'The evidence is kept.')),
  lines: maybe(told(v.array(words), 'The last output.')),
  known: maybe(told(words, 'A known fault reported by others: its cause, remedy, and report.')),
});

/** How a guest is away. */
export const away = v.object({
  guest: v.picklist(['stopped', 'suspended']),
  why: v.picklist([
    ...(['unused', 'battery', 'memory', 'asked', 'not-needed-yet'] satisfies Rest['type'][]),
  ]),
  instead: maybe(
    told(text, 'In `stopped`: why it was not suspended, although it could have been.'),
  ),
  saved: maybe(
    told(
      v.object({ bytes: whole, at: time }),
      "In `suspended`: when it was suspended, and the size of the file on the host's disk.",
    ),
  ),
});

/** That guests are not suspended any more. */
export const suspendGivenUp = v.object({
  why: told(text, 'How it failed last.'),
  until: maybe(told(time, 'When it is tried again by itself, if it has worked before.')),
});
