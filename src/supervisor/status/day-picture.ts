/** The picture of a day: where the guest was, when it was in use, and the memory that it kept. Pure. */
import { placeNames, type Day, type DayPlace } from './day.ts';

const words: Readonly<Record<DayPlace, string>> = {
  there: 'the guest is running',
  comes: 'it is starting or resuming',
  goes: 'it is stopping or being suspended',
  suspended: 'it is suspended to disk',
  stopped: 'it is stopped until needed',
  trouble: 'it is paused or could not start',
  'no-daemon': 'the daemon is not running',
};
/** Read from both grounds; each is also told apart by its height. */
const looks: Readonly<Record<DayPlace, { readonly colour: string; readonly share: number }>> = {
  there: { colour: '#2a6cbd', share: 1 },
  comes: { colour: '#48b4ff', share: 0.75 },
  goes: { colour: '#9048ff', share: 0.6 },
  suspended: { colour: '#5aa881', share: 0.35 },
  stopped: { colour: '#696c66', share: 0.2 },
  trouble: { colour: '#c90906', share: 0.9 },
  'no-daemon': { colour: '#888888', share: 0.05 },
};
const useColour = '#e77806';
const memoryColour = '#7b3987';

const [left, chartWidth, barHeight, memoryHeight] = [190, 760, 30, 60] as const;
const MiB = 1024 ** 2;

/** A heading, what is counted, what the colours mean, and the picture. */
export function daySection(day: Day): string {
  const { suspends, stops, wakes, uses } = day.counts;
  const shown = placeNames.filter((place) => day.spans.some((span) => span.place === place));
  const legend = [
    ...shown.map((place) => [looks[place].colour, words[place]] as const),
    [useColour, 'a client is logged in'] as const,
    ...(day.memory.length > 0 ? [[memoryColour, 'memory of the VM'] as const] : []),
  ];
  return `<h1>The builder in the last day</h1>
<p>${count(suspends, 'suspend')}, ${count(stops, 'stop')}, ${count(wakes, 'wake')}; in use ${count(uses, 'time')}. Times are UTC.</p>
<ul>${legend.map(([colour, what]) => `<li><span style="background:${colour}"></span>${what}</li>`).join('')}</ul>
<div class="chart">${daySvg(day)}</div>`;
}

const count = (number: number, what: string): string =>
  `${number} ${what}${number === 1 ? '' : 's'}`;

/** An SVG document of its own. */
export function daySvg(day: Day): string {
  const { from, to } = day;
  const x = (at: number) => left + ((at - from) / Math.max(1, to - from)) * chartWidth;
  const rect = (span: { from: number; to: number }, y: number, height: number, look: string) =>
    `<rect x="${x(span.from).toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(0.5, x(span.to) - x(span.from)).toFixed(1)}" height="${height.toFixed(1)}" ${look}</rect>`;
  const guest = day.spans.map((span) => {
    const { colour, share } = looks[span.place];
    const height = barHeight * share;
    const title = `${clock(span.from)} to ${clock(span.to)}: ${words[span.place]}`;
    return rect(span, 10 + barHeight - height, height, `fill="${colour}"><title>${title}</title>`);
  });
  const uses = day.uses.map((use) =>
    rect(use, 50, 12, `fill="${useColour}"><title>${clock(use.from)} to ${clock(use.to)}</title>`),
  );
  const height = 70 + memoryHeight + 30;
  const rows = [
    [32, 'guest'],
    [60, 'in use'],
    ...(day.memory.length > 0 ? ([[78 + memoryHeight / 2, 'memory']] as const) : []),
  ] as const;
  const names = rows.map(([y, name]) => `<text x="0" y="${y}">${name}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + chartWidth + 70} ${height}" width="${left + chartWidth + 70}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="The state of the guest in the last day">
${[...hours(day, x, height), ...names, ...guest, ...uses, ...memoryLine(day, x)].join('\n')}
</svg>`;
}

/** What it kept, as steps; its highest is named at the side. */
function memoryLine({ memory, to }: Day, x: (at: number) => number): readonly string[] {
  const most = Math.max(0, ...memory.map(({ bytes }) => bytes));
  if (most === 0) return [];
  const [top, bottom] = [72, 72 + memoryHeight];
  const y = (bytes: number) => bottom - (bytes / most) * memoryHeight;
  const points = memory.flatMap(({ at, bytes }, n) => {
    const until = memory[n + 1]?.at ?? to;
    return [at, until].map((each) => `${x(each).toFixed(1)},${y(bytes).toFixed(1)}`);
  });
  return [
    `<polyline points="${points.join(' ')}" fill="none" stroke="${memoryColour}" stroke-width="1.5"/>`,
    `<text x="${left - 6}" y="${top + 10}" text-anchor="end">${Math.round(most / MiB)} MiB</text>`,
    `<text x="${left - 6}" y="${bottom}" text-anchor="end">0</text>`,
  ];
}

/** Lines at whole hours, or at parts of one in a short time. */
function hours({ from, to }: Day, x: (at: number) => number, height: number): readonly string[] {
  const minute = 60_000;
  const steps = [1, 5, 15, 30, 60, 120, 240];
  const every = minute * (steps.find((each) => (to - from) / (each * minute) <= 12) ?? 240);
  const first = Math.ceil(from / every) * every;
  const times = Array.from(
    { length: Math.floor((to - first) / every) + 1 },
    (_, n) => first + n * every,
  );
  return times.map((at) => {
    const where = x(at).toFixed(1);
    return `<line x1="${where}" x2="${where}" y1="5" y2="${height - 25}" stroke="#8884"/><text x="${where}" y="${height - 8}" text-anchor="middle">${clock(at)}</text>`;
  });
}

const clock = (at: number): string => new Date(at).toISOString().slice(11, 16);
