/** Who waits at the front door and who is being let in: a value, changed by making another one. */

/** A user of this host by number; `unknown` where the system does not tell, undefined where nobody has asked yet. */
export type User = number | 'unknown' | undefined;

/** A client by its number, which grows with arrival: the order of numbers is the order of turns. */
export interface Waiter {
  readonly number: number;
  /** It has said what an ssh client says first. Real ones do so at once. */
  readonly isSsh: boolean;
  /** Whether it may be led to the guest: it has had the time to leave again. */
  readonly isDue: boolean;
  readonly user: User;
}

/** In the order in which they came. */
export interface Queue {
  readonly waiting: readonly Waiter[];
  /** Has a slot: its connection to the guest is being opened. */
  readonly opening: readonly Waiter[];
}

/** At the daemon's start. */
export const emptyQueue: Queue = { waiting: [], opening: [] };

/** A new client stands at the end. */
export function arrive(queue: Queue, number: number): Queue {
  const waiter: Waiter = { number, isSsh: false, isDue: false, user: undefined };
  return { ...queue, waiting: [...queue.waiting, waiter] };
}

type News = Partial<Omit<Waiter, 'number'>>;

/** More is known of one of them. */
export function learn({ waiting, opening }: Queue, client: number, news: News): Queue {
  const learnt = (waiters: readonly Waiter[]) => {
    const at = waiters.findIndex(({ number }) => number === client);
    const waiter = waiters[at];
    return waiter === undefined ? waiters : waiters.with(at, { ...waiter, ...news });
  };
  return { waiting: learnt(waiting), opening: learnt(opening) };
}

/** Whose each is of whom nobody has asked. */
export function learnUsers({ waiting, opening }: Queue, userOf: (client: number) => User): Queue {
  const learnt = (waiters: readonly Waiter[]) =>
    waiters.map((waiter) =>
      waiter.user === undefined ? { ...waiter, user: userOf(waiter.number) } : waiter,
    );
  return { waiting: learnt(waiting), opening: learnt(opening) };
}

/** A client is let in or went away: its place or its slot is free. */
export function leave({ waiting, opening }: Queue, client: number): Queue {
  const others = (waiters: readonly Waiter[]) => waiters.filter(({ number }) => number !== client);
  return { waiting: others(waiting), opening: others(opening) };
}

/** The guest went away: whoever was being let in waits again, at the place it had. */
export function sendBack({ waiting, opening }: Queue): Queue {
  return { waiting: [...opening, ...waiting].sort((a, b) => a.number - b.number), opening: [] };
}

/** Whether one of ssh waits that has not gone again with its first words. */
export const hasSsh = ({ waiting }: Queue): boolean =>
  waiting.some(({ isSsh, isDue }) => isSsh && isDue);

/** For how many there is room now, counted with those that are being let in. */
export interface QueueRoom {
  /** In all. */
  readonly slots: number;
  /** For those that have not said a word of ssh. */
  readonly mute: number;
  /** For those of one user, where users are known, with those that are through. */
  readonly perUser: number;
  /** For those of all users but {@link ours}, in the same way: one person can have thousands of users (subuid(5)). */
  readonly others: number;
  /** Who can log in at all: they come first, and go last. */
  readonly ours: ReadonlySet<User>;
  /** Whether those may be let in of whom nobody has asked whose they are. */
  readonly unasked: boolean;
  /** Of each user, those that are through and have not logged in. */
  readonly through: ReadonlyMap<User, number>;
  /** 0 <= random() < 1: who is next where users cannot be told apart. */
  readonly random: () => number;
}

/**
 * Free slots go to ssh clients before others, then to those who can log in, then to the user who has the fewest, then in order of
 * arrival. Where users cannot be told apart and not all of them get one, chance decides: whoever was first with a crowd would keep
 * everybody out.
 */
export function admit(
  queue: Queue,
  room: QueueRoom,
): { readonly queue: Queue; readonly admitted: readonly number[] } {
  let now = queue;
  const admitted: number[] = [];
  for (;;) {
    const next = nextOf(now, room);
    if (next === undefined) return { queue: now, admitted };
    const waiting = now.waiting.filter((waiter) => waiter !== next);
    now = { waiting, opening: [...now.opening, next] };
    admitted.push(next.number);
  }
}

function nextOf({ waiting, opening }: Queue, room: QueueRoom): Waiter | undefined {
  const free = room.slots - opening.length;
  if (free <= 0) return undefined;
  const { fits, shareOf } = beside(opening, room);
  let [ssh, fewest] = [false, Infinity];
  // One pass, since a crowd is long: those that stand first so far.
  let first: Waiter[] = [];
  for (const waiter of waiting) {
    const { isSsh, user } = waiter;
    if (isSsh < ssh || !fits(waiter)) continue;
    const has = shareOf(user);
    if (isSsh === ssh && has > fewest) continue;
    if (isSsh > ssh || has < fewest) first = [];
    [ssh, fewest] = [isSsh, has];
    first.push(waiter);
  }
  const isCrowd = first.length > free && first.every(({ user }) => user === 'unknown');
  return first[isCrowd ? Math.floor(room.random() * first.length) : 0];
}

/** For whom there is room beside those that are being let in, and how much each user has of it. */
function beside(opening: readonly Waiter[], room: QueueRoom) {
  const hasMute = opening.filter(({ isSsh }) => !isSsh).length < room.mute;
  const letIn = countBy(opening);
  const taken = (user: User) => (letIn.get(user) ?? 0) + (room.through.get(user) ?? 0);
  const isOther = isStranger(room.ours);
  const others = new Set([...letIn.keys(), ...room.through.keys()].filter(isOther));
  const hasOthers = [...others].reduce((sum: number, user) => sum + taken(user), 0) < room.others;
  return {
    fits: ({ isDue, isSsh, user }: Waiter): boolean =>
      isDue &&
      (isSsh || hasMute) &&
      (room.unasked || user !== undefined) &&
      (hasOthers || !isOther(user)) &&
      !(typeof user === 'number' && taken(user) >= room.perUser),
    shareOf: (user: User): number => taken(user) + (isOther(user) ? behind : 0),
  };
}

/** More than anybody has. */
const behind = 1_000_000;

/**
 * Who has to go when too many wait; the last that came is among them. A stranger where there is one. Of these one without a word of ssh,
 * but not the last, which had no time for it; then one of the user who has most; where users cannot be told apart anyone. By their order
 * of arrival the first of the mute, who had the longest time to speak, and one by chance of the others.
 */
export function tooMany(
  { waiting }: Queue,
  { ours, random }: Pick<QueueRoom, 'ours' | 'random'>,
): number | undefined {
  const isOther = isStranger(ours);
  const strangers = waiting.filter(({ user }) => isOther(user));
  const those = strangers.length > 0 ? strangers : waiting;
  const mute = those.filter((waiter) => !waiter.isSsh && waiter !== waiting.at(-1));
  if (mute.length > 0) return largest(mute)[0]?.number;
  const crowd = largest(those);
  return crowd[Math.floor(random() * crowd.length)]?.number;
}

/** Whether a stranger is known among those that wait: without one, anybody may have to go. */
export const hasStranger = ({ waiting }: Queue, ours: ReadonlySet<User>): boolean =>
  waiting.some(({ user }) => isStranger(ours)(user));

/** Whether somebody is known, and none of ours. */
const isStranger =
  (ours: ReadonlySet<User>) =>
  (user: User): boolean =>
    typeof user === 'number' && !ours.has(user);

/** Those of the user who has most. */
function largest(waiters: readonly Waiter[]): readonly Waiter[] {
  const of = countBy(waiters);
  const most = Math.max(...of.values());
  const [user] = [...of].find(([, count]) => count === most) ?? [];
  return waiters.filter((waiter) => waiter.user === user);
}

/** How many of these each user has. */
export function countBy(waiters: readonly Waiter[]): ReadonlyMap<User, number> {
  const counts = new Map<User, number>();
  for (const { user } of waiters) counts.set(user, (counts.get(user) ?? 0) + 1);
  return counts;
}
