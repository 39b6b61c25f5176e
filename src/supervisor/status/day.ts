/** What the builder did while nobody looked, read back from what the daemon has noted of it: where the guest was, who used it, what it kept. Pure. */
import { traitsOf } from '../lifecycle/phases.ts';
import type { Phase } from '../lifecycle/state.ts';

/** Where a guest is, as somebody sees it who does not know our phases. */
export const placeNames = [
  'there',
  'comes',
  'goes',
  'suspended',
  'stopped',
  'trouble',
  'no-daemon',
] as const;
/** Where a guest can be. */
export type DayPlace = (typeof placeNames)[number];

/** Wall time in ms. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** A span of time, which is a day as a rule. Times are wall time in ms. */
export interface Day extends Span {
  readonly spans: readonly (Span & { readonly place: DayPlace })[];
  /** While somebody had logged in: builds, copies, shells. */
  readonly uses: readonly Span[];
  /** What the VM process had resident, from then on, in bytes; 0 while there is none. */
  readonly memory: readonly { readonly at: number; readonly bytes: number }[];
  readonly counts: Readonly<Record<'suspends' | 'stops' | 'wakes' | 'uses', number>>;
}

/** A line of day.jsonl, beside its time. */
export type DayEvent =
  | { readonly event: 'daemon-started' | 'wanted' | 'guest-saved' }
  | { readonly event: 'phase'; readonly phase: Phase }
  | {
      readonly event: 'guest-used' | 'guest-unused' | 'guest-memory';
      /** Of the VM process; absent where this system does not tell. */
      readonly residentBytes?: number;
    };

const dayMs = 24 * 3_600_000;

const placeOf: Readonly<Record<Phase, DayPlace>> = {
  stopped: 'no-daemon',
  starting: 'comes',
  booting: 'comes',
  resuming: 'comes',
  ready: 'there',
  suspending: 'goes',
  stopping: 'goes',
  away: 'stopped',
  paused: 'trouble',
  'backing-off': 'trouble',
  failed: 'trouble',
};

/**
 * The last 24 hours before `now`, as far as the text of day.jsonl goes back; undefined where nothing is said of them. What was before
 * that an older release has left in its `log` alone.
 */
export function dayIn(text: string, now: number, log = ''): Day | undefined {
  const lines = text.split('\n').map(parse);
  const first = lines.map(timeOf).find((at) => !Number.isNaN(at)) ?? Infinity;
  const day = new Reading();
  for (const fields of log.split('\n').map(parse)) if (timeOf(fields) < first) day.take(fields);
  lines.forEach((fields) => day.take(fields));
  return day.until(now);
}

const timeOf = (fields: Fields): number => Date.parse(String(fields['time']));

type Fields = Readonly<Partial<Record<string, unknown>>>;

class Reading {
  readonly #spans: { from: number; to: number; place: DayPlace }[] = [];
  readonly #uses: { from: number; to: number }[] = [];
  readonly #memory: { at: number; bytes: number }[] = [];
  readonly #happened: { at: number; what: keyof Day['counts'] }[] = [];
  /** A guest was ready, and has not gone since: a start that fails is no stop. */
  #isThere = false;
  #isSaved = false;
  #isUsed = false;
  #last = 0;

  /** Lines that are none of ours, or torn, are passed over. */
  take(fields: Fields): void {
    const at = timeOf(fields);
    if (Number.isNaN(at)) return;
    // A daemon that was killed has said nothing of its end.
    if (fields['event'] === 'daemon-started') this.#goTo('no-daemon', this.#last || at);
    this.#last = at;
    this.#follow(fields, at);
  }

  #follow({ event, phase, residentBytes: bytes }: Fields, at: number): void {
    if (event === 'phase') this.#enter(String(phase), at);
    if (event === 'wanted') this.#happened.push({ at, what: 'wakes' });
    if (event === 'guest-saved') {
      this.#isSaved = true;
      this.#happened.push({ at, what: 'suspends' });
    }
    if (event === 'guest-used' && !this.#isUsed) {
      this.#isUsed = true;
      this.#uses.push({ from: at, to: at });
      this.#happened.push({ at, what: 'uses' });
    }
    if (event === 'guest-unused') this.#endUse(at);
    if (typeof bytes === 'number') this.#memory.push({ at, bytes });
  }

  #enter(phase: string, at: number): void {
    // Another release may have others.
    const place = (placeOf as Readonly<Partial<Record<string, DayPlace>>>)[phase] ?? 'trouble';
    if (phase === 'starting') this.#isSaved = this.#isThere = false;
    if (place === 'there') this.#isThere = true;
    if (traitsOf(phase as Phase).guest === 'none') {
      this.#memory.push({ at, bytes: 0 });
      if (this.#isThere && !this.#isSaved) this.#happened.push({ at, what: 'stops' });
      this.#isThere = false;
    }
    if (place !== 'there') this.#endUse(at);
    this.#goTo(phase === 'away' && this.#isSaved ? 'suspended' : place, at);
  }

  #goTo(place: DayPlace, at: number): void {
    const last = this.#spans.at(-1);
    if (last !== undefined) last.to = at;
    if (place === 'no-daemon') {
      this.#isThere = false;
      this.#endUse(at);
      if (last !== undefined) this.#memory.push({ at, bytes: 0 });
    }
    if (last?.place !== place) this.#spans.push({ from: at, to: at, place });
  }

  #endUse(at: number): void {
    const last = this.#uses.at(-1);
    if (this.#isUsed && last !== undefined) last.to = at;
    this.#isUsed = false;
  }

  until(now: number): Day | undefined {
    const last = this.#spans.at(-1);
    if (last === undefined) return undefined;
    last.to = now;
    this.#endUse(now);
    const from = Math.max(now - dayMs, this.#spans[0]?.from ?? now);
    const inDay = <S extends Span>(spans: readonly S[]) =>
      spans.filter(({ to }) => to > from).map((s) => ({ ...s, from: Math.max(from, s.from) }));
    const before = this.#memory.filter(({ at }) => at <= from).at(-1);
    const memory = this.#memory.filter(({ at }) => at > from && at <= now);
    const count = (wanted: string) =>
      this.#happened.filter(({ at, what }) => what === wanted && at >= from).length;
    return {
      from,
      to: now,
      spans: inDay(this.#spans),
      uses: inDay(this.#uses),
      memory: before === undefined ? memory : [{ ...before, at: from }, ...memory],
      counts: {
        suspends: count('suspends'),
        stops: count('stops'),
        wakes: count('wakes'),
        uses: count('uses'),
      },
    };
  }
}

function parse(line: string): Fields {
  try {
    const json: unknown = JSON.parse(line);
    return typeof json === 'object' && json !== null ? (json as Fields) : {};
  } catch {
    // A daemon that was killed may have left half a line.
    return {};
  }
}
