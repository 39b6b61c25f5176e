/** The starts of the past, read back from the daemon's log: where their seconds went, and how long one usually takes. Pure. */

/** One thing that was seen during a start. */
export interface Step {
  readonly name: string;
  /** After the start began. */
  readonly ms: number;
}

export interface Boot {
  /** ISO 8601. */
  readonly begun: string;
  readonly steps: readonly Step[];
  /** Undefined where it did not become ready. */
  readonly readyMs: number | undefined;
}

/** The starts in the log's text, oldest first. Lines that are none of ours, or torn, are passed over. */
export function bootsIn(text: string): Boot[] {
  const boots: { begun: string; steps: Step[]; readyMs: number | undefined }[] = [];
  for (const line of text.split('\n')) {
    const record = parse(line);
    if (record === undefined) continue;
    if (record.event === 'phase' && record.phase === 'starting')
      boots.push({ begun: record.time, steps: [], readyMs: undefined });
    const boot = boots.at(-1);
    if (record.event !== 'seen' || boot === undefined || isOver(boot, record.name)) continue;
    boot.steps.push({ name: record.name, ms: record.ms });
    if (record.name === 'ready') boot.readyMs = record.ms;
  }
  return boots;
}

/** What comes after a start, or in its place, is no part of it. */
const isOver = ({ readyMs }: Pick<Boot, 'readyMs'>, name: string): boolean =>
  readyMs !== undefined || name === 'stop' || name === 'stopped';

/** The median of the last starts that became ready, in ms; undefined before the first. */
export function usualMs(boots: readonly Boot[]): number | undefined {
  const times = boots
    .flatMap(({ readyMs }) => (readyMs === undefined ? [] : [readyMs]))
    .slice(-9)
    .sort((a, b) => a - b);
  return times[Math.floor((times.length - 1) / 2)];
}

type Line =
  | { readonly event: 'phase'; readonly time: string; readonly phase: string }
  | { readonly event: 'seen'; readonly name: string; readonly ms: number };

function parse(line: string): Line | undefined {
  // Most lines are something else.
  if (!line.includes('"event":"phase"') && !line.includes('"event":"seen"')) return undefined;
  try {
    const json = JSON.parse(line) as Partial<Record<string, unknown>>;
    const { event, time, phase, name, ms } = json;
    if (event === 'phase' && typeof time === 'string' && typeof phase === 'string')
      return { event, time, phase };
    if (event === 'seen' && typeof name === 'string' && typeof ms === 'number')
      return { event, name, ms };
    return undefined;
  } catch {
    return undefined;
  }
}
