/** Where the seconds of the last starts went: as a table, and as one picture in one file. Pure. */
import { usualMs, type Boot } from './boots.ts';
import type { Day } from './day.ts';
import { daySection } from './day-picture.ts';
import { stepColour } from './step-colours.ts';

const none = 'The log has no starts.';

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/** A start in a line, newest last; the steps in the order in which they came, each with the seconds it took. */
export function bootTable(boots: readonly Boot[]): string[] {
  if (boots.length === 0) return [none];
  const lines = boots.map(({ begun, steps, readyMs }) => {
    const parts = partsOf(steps).map(({ name, ms }) => `${name} ${seconds(ms)}`);
    const end =
      readyMs === undefined ? 'did not become ready' : `ready after ${seconds(readyMs)} s`;
    return `${begun}  ${end}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`;
  });
  const usual = usualMs(boots);
  return usual === undefined ? lines : [...lines, `Usually ready after ${seconds(usual)} s.`];
}

/** One page that needs nothing else: no script, no font, no network. */
export const bootPage = (boots: readonly Boot[], day?: Day): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>linuxkit-builder: recent starts and the last day</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b; } svg text { fill: #ddd; } }
/* On a narrow screen it is moved sideways: smaller than this it could not be read. */
.chart { overflow-x: auto; }
svg { max-width: 100%; min-width: 800px; height: auto; }
li { display: inline-block; margin-right: 1.2em; }
li span { display: inline-block; width: 0.9em; height: 0.9em; margin-right: 0.4em; vertical-align: -0.1em; }
ul { padding: 0; }
</style>
</head>
<body>
<h1>How long each step of recent starts took</h1>
<ul>${namesIn(boots)
  .map((name) => `<li><span style="background:${colorOf(name, boots)}"></span>${xml(name)}</li>`)
  .join('')}</ul>
${boots.length === 0 ? `<p>${none}</p>` : `<div class="chart">${bootSvg(boots)}</div>`}
${day === undefined ? '' : daySection(day)}
</body>
</html>
`;

const [left, barHeight, gap, chartWidth] = [190, 18, 10, 760] as const;

/** A bar a start, a colour a step; the axis in seconds. */
export function bootSvg(boots: readonly Boot[]): string {
  const longest = Math.max(1000, ...boots.flatMap(({ steps }) => steps.map(({ ms }) => ms)));
  const x = (ms: number): number => left + (ms / longest) * chartWidth;
  const height = boots.length * (barHeight + gap) + 40;
  const bars = boots.map((boot, index) => barOf(boot, 10 + index * (barHeight + gap), x, boots));
  const every = [0.5, 1, 2, 5, 10, 20, 50, 100].find((each) => longest / 1000 / each <= 10) ?? 200;
  const marks = Array.from({ length: Math.floor(longest / 1000 / every) + 1 }, (_, index) => {
    const at = x(index * every * 1000).toFixed(1);
    return `<line x1="${at}" x2="${at}" y1="5" y2="${height - 25}" stroke="#8884"/><text x="${at}" y="${height - 8}" text-anchor="middle">${index * every} s</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + chartWidth + 70} ${height}" width="${left + chartWidth + 70}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="One bar for each recent start">
${[...marks, ...bars].join('\n')}
</svg>`;
}

function barOf(
  { begun, steps, readyMs }: Boot,
  y: number,
  x: (ms: number) => number,
  boots: readonly Boot[],
): string {
  const text = y + barHeight - 5;
  const parts = partsOf(steps).map(({ name, fromMs, ms }) => {
    const width = Math.max(0.5, x(fromMs + ms) - x(fromMs)).toFixed(1);
    return `<rect x="${x(fromMs).toFixed(1)}" y="${y}" width="${width}" height="${barHeight}" fill="${colorOf(name, boots)}"><title>${xml(name)}: ${seconds(ms)} s</title></rect>`;
  });
  const last = steps.at(-1)?.ms ?? 0;
  const end = readyMs === undefined ? 'not ready' : `${seconds(readyMs)} s`;
  return `<text x="0" y="${text}">${xml(begun.replace('T', ' ').slice(0, 19))}</text>${parts.join('')}<text x="${(x(last) + 6).toFixed(1)}" y="${text}">${end}</text>`;
}

/** Each step from the end of the one before it. */
function partsOf(steps: Boot['steps']): { name: string; fromMs: number; ms: number }[] {
  return steps.map(({ name, ms }, index) => {
    const fromMs = steps[index - 1]?.ms ?? 0;
    return { name, fromMs, ms: Math.max(0, ms - fromMs) };
  });
}

const namesIn = (boots: readonly Boot[]): string[] => [
  ...new Set(boots.flatMap(({ steps }) => steps.map(({ name }) => name))),
];

const colorOf = (name: string, boots: readonly Boot[]): string => stepColour(name, namesIn(boots));

const xml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
