/** When a guest that nobody uses goes away, and when it starts. */
import * as v from 'valibot';
import { oneOf } from './setting.ts';

/** What becomes of a guest that nobody uses: the best that its VM program can do, a stop, or nothing. */
export const idleWays = ['auto', 'stop', 'never'] as const;
type IdleWay = (typeof idleWays)[number];

/** Whether the guest starts with the daemon, or with the first build. */
export const startTimes = ['login', 'demand'] as const;
type StartTime = (typeof startTimes)[number];

/** What becomes of a guest that nobody uses. */
export interface Idle {
  /** A span of time, `10 min`. */
  readonly after: string;
  readonly how: IdleWay;
  /** Whether a guest goes sooner that nobody uses while this machine runs on its battery, or is short of memory. */
  readonly onBattery: Urgency;
  readonly onLowMemory: Urgency;
}

/** The same as ever, or as soon as nobody uses it. */
export const urgencies = ['same', 'now'] as const;
type Urgency = (typeof urgencies)[number];

const units = { s: 1_000, min: 60_000, h: 3_600_000 } as const;
/** Shorter ones would keep a guest coming and going; longer ones are `never`. */
const [leastMs, mostMs] = [10_000, 7 * 24 * units.h];

/** `90 s`, `10 min`, `2 h` in ms; undefined for what is none, or is not from 10 s to 168 h. */
export function spanMs(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,6}) ?(s|min|h)$/.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  const ms = Number(number) * units[unit as keyof typeof units];
  return ms >= leastMs && ms <= mostMs ? ms : undefined;
}

/** How long a guest stays that nobody uses, in ms; undefined: for good. */
export const idleMs = (config: { readonly idle: Idle } | undefined): number | undefined =>
  config === undefined || config.idle.how === 'never' ? undefined : spanMs(config.idle.after);

/** Where memory and battery are a person's own, the guest is there on demand. */
export const idleDefaults = (isPersonal: boolean): { idle: Idle; start: StartTime } => ({
  idle: {
    after: '10 min',
    how: isPersonal ? 'auto' : 'never',
    onBattery: 'same',
    onLowMemory: 'same',
  },
  start: isPersonal ? 'demand' : 'login',
});

/** What the file says, and the defaults for the rest. */
export const idleOf = (
  file: { readonly [Part in keyof Idle]?: Idle[Part] | undefined } = {},
  usual: Idle,
): Idle => ({
  after: file.after ?? usual.after,
  how: file.how ?? usual.how,
  onBattery: file.onBattery ?? usual.onBattery,
  onLowMemory: file.onLowMemory ?? usual.onLowMemory,
});

/** What the file takes. */
export const idleSchema = v.strictObject(
  {
    after: v.optional(
      v.pipe(
        v.string('must be a duration, such as 10 min'),
        v.check(
          (text) => spanMs(text) !== undefined,
          'must be a duration from 10 s to 168 h, such as 10 min',
        ),
      ),
    ),
    how: v.optional(v.picklist(idleWays, oneOf(idleWays))),
    onBattery: v.optional(v.picklist(urgencies, oneOf(urgencies))),
    onLowMemory: v.optional(v.picklist(urgencies, oneOf(urgencies))),
  },
  'must be an object, such as {"how": "stop", "after": "10 min"}',
);
