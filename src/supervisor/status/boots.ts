/** The starts of the past, read back from what the daemon has recorded of them: where their seconds went, and how long one usually takes. Pure. */

/** One thing that was seen during a start. */
export interface BootStep {
  readonly name: string;
  /** After the start began. */
  readonly ms: number;
}

/** One start of the past. */
export interface Boot {
  /** ISO 8601. */
  readonly begun: string;
  readonly steps: readonly BootStep[];
  /** Undefined where it did not become ready. */
  readonly readyMs: number | undefined;
}

/** The starts in the text of boots.jsonl, oldest first. Lines that are none of ours, or torn, are passed over. */
export const bootsIn = (text: string): Boot[] =>
  collect(text.split('\n'), ({ begun, name, ms }) => {
    if (typeof begun === 'string') return { begun };
    return typeof name === 'string' && typeof ms === 'number' ? { name, ms } : undefined;
  });

/** The same from the daemon's log: a release before there was boots.jsonl has left its starts there alone. */
export const bootsInLog = (text: string): Boot[] =>
  collect(text.split('\n').filter(isOfStart), ({ event, time, phase, name, ms }) => {
    if (event === 'phase' && phase === 'starting' && typeof time === 'string')
      return { begun: time };
    return event === 'seen' && typeof name === 'string' && typeof ms === 'number'
      ? { name, ms }
      : undefined;
  });

/** Most lines of a log are something else. */
const isOfStart = (line: string): boolean =>
  line.includes('"event":"phase"') || line.includes('"event":"seen"');

type Fields = Readonly<Partial<Record<string, unknown>>>;

function collect(
  lines: readonly string[],
  read: (fields: Fields) => { readonly begun: string } | BootStep | undefined,
): Boot[] {
  const boots: { begun: string; steps: BootStep[]; readyMs: number | undefined }[] = [];
  for (const line of lines) {
    const news = read(fieldsIn(line));
    if (news === undefined) continue;
    if ('begun' in news) boots.push({ begun: news.begun, steps: [], readyMs: undefined });
    const boot = boots.at(-1);
    if ('begun' in news || boot === undefined || isOver(boot, news.name)) continue;
    boot.steps.push(news);
    if (news.name === 'ready') boot.readyMs = news.ms;
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

function fieldsIn(line: string): Fields {
  try {
    const json: unknown = JSON.parse(line);
    return typeof json === 'object' && json !== null ? (json as Fields) : {};
  } catch {
    // A daemon that was killed may have left half a line.
    return {};
  }
}
