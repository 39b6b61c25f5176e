/** Who waits at the front door and who is being let in: a value, changed by making another one. */

/** Clients by their number, which grows with arrival: the order of numbers is the order of turns. */
export interface Queue {
  readonly waiting: readonly number[];
  /** Has a slot: its connection to the guest is being opened. */
  readonly opening: readonly number[];
}

export const emptyQueue: Queue = { waiting: [], opening: [] };

/** A new client stands at the end. */
export function arrive(queue: Queue, client: number): Queue {
  return { ...queue, waiting: [...queue.waiting, client] };
}

/** A client is let in or went away: its place or its slot is free. */
export function leave({ waiting, opening }: Queue, client: number): Queue {
  const others = (numbers: readonly number[]) => numbers.filter((number) => number !== client);
  return { waiting: others(waiting), opening: others(opening) };
}

/** The first in line get the free slots; `admitted` are those whose turn has just come. */
export function admit(
  { waiting, opening }: Queue,
  slots: number,
): { readonly queue: Queue; readonly admitted: readonly number[] } {
  const admitted = waiting.slice(0, Math.max(0, slots - opening.length));
  return {
    queue: { waiting: waiting.slice(admitted.length), opening: [...opening, ...admitted] },
    admitted,
  };
}

/** The guest went away: whoever was being let in waits again, at the place it had. */
export function sendBack({ waiting, opening }: Queue): Queue {
  return { waiting: [...opening, ...waiting].sort((a, b) => a - b), opening: [] };
}
