/** When the milestones of the last boots came. Pure values: each function gives a new one. */

/** One milestone, or a step of the host that leads to one. */
export interface Moment {
  readonly name: string;
  /** Wall time in ms since 1970. */
  readonly atMs: number;
  /** The guest's own uptime in seconds, for what the guest said. */
  readonly uptimeS?: number;
}

/** One boot, in the order in which things came. */
export type Timeline = readonly Moment[];

/** The last boots, the current one last. */
export type Boots = readonly Timeline[];

/** How many boots are remembered. */
const remembered = 5;

/** A boot begins. */
export const beginBoot = (boots: Boots): Boots => [...boots, []].slice(-remembered);

/** The current boot with one more moment. What came before keeps its time: the first one counts. */
export function addMoment(boots: Boots, moment: Moment): Boots {
  const current = boots.at(-1) ?? [];
  if (current.some(({ name }) => name === moment.name)) return boots;
  return [...boots.slice(0, -1), [...current, moment]];
}

/** Milliseconds from the first moment of a boot to the one of that name, or undefined if it did not come. */
export function msUntil(timeline: Timeline, name: string): number | undefined {
  const moment = timeline.find((other) => other.name === name);
  const first = timeline[0];
  return moment === undefined || first === undefined ? undefined : moment.atMs - first.atMs;
}

/** A boot as a table of lines: what came, how long after the first, how long after the one before, guest uptime. */
export function describeTimeline(timeline: Timeline): string[] {
  const width = Math.max(0, ...timeline.map(({ name }) => name.length));
  const seconds = (ms: number) => (ms / 1000).toFixed(2).padStart(7);
  return timeline.map(({ name, atMs, uptimeS }, n) => {
    const sinceFirst = atMs - (timeline[0]?.atMs ?? atMs);
    const sinceLast = atMs - (timeline[n - 1]?.atMs ?? atMs);
    const uptime = uptimeS === undefined ? '' : `  uptime ${uptimeS.toFixed(2)} s`;
    return `${name.padEnd(width)} ${seconds(sinceFirst)} s  +${seconds(sinceLast).trim()} s${uptime}`;
  });
}
