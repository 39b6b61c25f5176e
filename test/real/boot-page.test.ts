import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootPage } from '../../src/supervisor/status/boot-picture.ts';
import type { Boot } from '../../src/supervisor/status/boots.ts';
import type { Day } from '../../src/supervisor/status/day.ts';
import { usualSteps } from '../../src/supervisor/status/step-colours.ts';
import { Browser, browserProgram, type Look } from './browser.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const program = browserProgram();
const names = ['prepared', 'vm-started', 'vm-answers', 'init', 'seed', 'root', 'disk', 'sshd'];
/** A start whose steps take so many ms each. */
const boot = (day: number, ms: readonly number[], isReady = true): Boot => {
  const steps = ms.map((_, index) => ({
    name: index === ms.length - 1 && isReady ? 'ready' : (names[index % names.length] ?? ''),
    ms: ms.slice(0, index + 1).reduce((sum, each) => sum + each, 0),
  }));
  const begun = `2026-01-${String(day).padStart(2, '0')}T03:04:05.678Z`;
  return { begun, steps, readyMs: isReady ? steps.at(-1)?.ms : undefined };
};
const usual = [20, 50, 60, 1700, 150, 400, 510, 1, 700];
const cases: Readonly<Record<string, readonly Boot[]>> = {
  'ten starts': Array.from({ length: 10 }, (_, n) =>
    boot(
      n + 1,
      usual.map((ms) => ms * (1 + n / 9)),
    ),
  ),
  'starts that failed among them': [boot(1, usual), boot(2, [20, 50], false), boot(3, [], false)],
  'one that took minutes beside quick ones': [boot(1, usual), boot(2, [20, 50, 175_000], false)],
  'a single one of a second': [boot(1, [3, 4, 900])],
  'names that are no words': [
    { begun: '<b>&"', steps: [{ name: '</svg><script>alert(1)</script>', ms: 5 }], readyMs: 5 },
  ],
};
const hour = 3_600_000;
const midnight = Date.parse('2026-01-02T00:00:00.000Z');
const from = (hours: number, to: number) => ({
  from: midnight + hours * hour,
  to: midnight + to * hour,
});
/** A day of a laptop: of a few builds, of which one is a moment beside hours. */
const day: Day = {
  ...from(0, 24),
  spans: [
    ...([
      { ...from(0, 8), place: 'suspended' },
      { ...from(8, 8.001), place: 'comes' },
    ] as const),
    ...([
      { ...from(8.001, 11), place: 'there' },
      { ...from(11, 11.002), place: 'goes' },
    ] as const),
    ...([
      { ...from(11.002, 14), place: 'stopped' },
      { ...from(14, 14.5), place: 'trouble' },
    ] as const),
    ...([
      { ...from(14.5, 15), place: 'no-daemon' },
      { ...from(15, 24), place: 'there' },
    ] as const),
  ],
  uses: [from(8.001, 8.4), from(9, 10.5), from(16, 16.001), from(17, 23)],
  memory: [
    { at: midnight, bytes: 0 },
    { at: midnight + 8 * hour, bytes: 450 * 1024 ** 2 },
    { at: midnight + 9.5 * hour, bytes: 1900 * 1024 ** 2 },
    { at: midnight + 11 * hour, bytes: 0 },
    { at: midnight + 15 * hour, bytes: 500 * 1024 ** 2 },
  ],
  counts: { suspends: 1, stops: 1, wakes: 2, uses: 4 },
};
const looks: readonly Look[] = (['light', 'dark'] as const).flatMap((scheme) =>
  [360, 1600].map((width) => ({ width, scheme })),
);

describe(
  'the picture of the last starts, in a real browser',
  needs({ what: 'a browser: Chromium or Chrome', isMet: program !== undefined }),
  () => {
    let browser: Browser;
    const dir = mkdtempSync(join(tmpdir(), 'page-'));
    beforeAll(() => {
      browser = new Browser(program ?? '');
    });
    afterAll(async () => {
      await browser[Symbol.asyncDispose]();
      removeTree(dir);
    });

    describe.each(Object.entries(cases))('%s', (what, boots) => {
      test.each(looks)('$scheme, $width wide', async (look) => {
        const file = join(dir, `${what.replaceAll(' ', '-')}.html`);
        writeFileSync(file, bootPage(boots));
        const seen = await browser.look<Seen>(pathToFileURL(file).href, look, measure);
        expect(seen.bars).toHaveLength(boots.flatMap(({ steps }) => steps).length);
        expect(seen.texts.map(({ text }) => text)).toEqual(
          expect.arrayContaining(boots.map(({ begun }) => begun.replace('T', ' ').slice(0, 19))),
        );
        // Nothing sticks out: neither of the page nor of the picture.
        expect(seen.pageWidth).toBeLessThanOrEqual(look.width);
        const outside = [...seen.bars, ...seen.texts].filter((box) => !isWithin(box, seen.picture));
        expect(outside).toEqual([]);
        // Nothing lies on anything else.
        expect(overlaps([...seen.texts, ...seen.bars])).toEqual([]);
        expect(overlaps(seen.legend)).toEqual([]);
        // What is written can be read.
        for (const { text, bottom, top, colour } of [...seen.texts, ...seen.legend]) {
          expect(bottom - top, text).toBeGreaterThan(9);
          expect(contrast(colour, seen.background), text).toBeGreaterThan(4.5);
        }
        for (const { text, colour } of seen.bars)
          expect(contrast(colour, seen.background), text).toBeGreaterThan(1.5);
        expect(luminance(seen.background) > 0.5).toBe(look.scheme === 'light');
      });
    });

    test.each(looks)('each step has a colour of its own: $scheme, $width wide', async (look) => {
      const file = join(dir, 'colours.html');
      const steps = usualSteps.map((name, index) => ({ name, ms: 300 * (index + 1) }));
      writeFileSync(file, bootPage([{ begun: '2026-01-01T03:04:05.678Z', steps, readyMs: 4500 }]));
      const { bars, background } = await browser.look<Seen>(
        pathToFileURL(file).href,
        look,
        measure,
      );
      expect(bars).toHaveLength(usualSteps.length);
      for (const [index, { colour, text }] of bars.entries()) {
        expect(contrast(colour, background), text).toBeGreaterThan(1.5);
        for (const other of bars.slice(0, index))
          expect(distance(colour, other.colour), `${text}, ${other.text}`).toBeGreaterThan(0.12);
      }
    });

    // Behaviour 146: `boot-report --html` shows the last 24 hours: what the guest did, when clients were in it, and
    // the VM's memory.
    test.each(looks)('the last day: $scheme, $width wide', async (look) => {
      const file = join(dir, 'day.html');
      const page = bootPage([], day);
      writeFileSync(file, page);
      const seen = await browser.look<Seen>(pathToFileURL(file).href, look, measure);
      expect(seen.bars).toHaveLength(day.spans.length + day.uses.length);
      expect(seen.pageWidth).toBeLessThanOrEqual(look.width);
      const boxes = [...seen.bars, ...seen.texts];
      expect(boxes.filter((box) => !isWithin(box, seen.picture))).toEqual([]);
      expect(overlaps(boxes)).toEqual([]);
      expect(overlaps(seen.legend)).toEqual([]);
      for (const { text, colour } of [...seen.texts, ...seen.legend])
        expect(contrast(colour, seen.background), text).toBeGreaterThan(4.5);
      for (const { text, colour } of seen.bars)
        expect(contrast(colour, seen.background), text).toBeGreaterThan(1.5);
    });

    test.each(looks)('says that there was none: $scheme, $width wide', async (look) => {
      const file = join(dir, 'none.html');
      writeFileSync(file, bootPage([]));
      const text = await browser.look<string>(
        pathToFileURL(file).href,
        look,
        'document.body.innerText',
      );
      expect(text).toContain('The log has no starts.');
    });

    test('complains of nothing, and what complains is noticed', async () => {
      const file = join(dir, 'bad.html');
      writeFileSync(file, '<script>console.error("odd")</script>');
      const looked = browser.look(pathToFileURL(file).href, { width: 800, scheme: 'light' }, '1');
      await expect(looked).rejects.toThrow('odd');
    });
  },
);

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly text: string;
  /** Red, green and blue. */
  readonly colour: readonly number[];
}
interface Seen {
  readonly bars: readonly Box[];
  readonly texts: readonly Box[];
  readonly legend: readonly Box[];
  readonly picture: Box;
  readonly pageWidth: number;
  readonly background: readonly number[];
}

/** Run in the page: where everything has been laid out, and in which colours. */
const measure = `(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const box = (element, property) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const colour = numbers(getComputedStyle(element)[property]);
    return { left, right, top, bottom, text: element.textContent, colour };
  };
  const all = (selector, property) =>
    [...document.querySelectorAll(selector)].map((element) => box(element, property));
  return {
    bars: all('svg rect', 'fill'),
    texts: all('svg text', 'fill'),
    legend: all('li', 'color'),
    picture: box(document.querySelector('svg'), 'color'),
    pageWidth: document.documentElement.scrollWidth,
    background: numbers(getComputedStyle(document.body).backgroundColor),
  };
})()`;

/** Half a pixel is no overlap: a step of a millisecond has to be seen too. */
const slack = 0.6;
const isWithin = (inner: Box, outer: Box): boolean =>
  inner.left >= outer.left - slack &&
  inner.right <= outer.right + slack &&
  inner.top >= outer.top - slack &&
  inner.bottom <= outer.bottom + slack;

const overlaps = (boxes: readonly Box[]): string[] =>
  boxes.flatMap((a, index) =>
    boxes
      .slice(index + 1)
      .filter(
        (b) =>
          Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack &&
          Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack,
      )
      .map((b) => `${a.text} and ${b.text}`),
  );

/** As it is seen: in OKLab (bottosson.github.io/posts/oklab). */
function distance(a: readonly number[], b: readonly number[]): number {
  const [one, other] = [oklab(a), oklab(b)];
  return Math.hypot(...one.map((value, index) => value - (other[index] ?? 0)));
}
function oklab(colour: readonly number[]): readonly number[] {
  const [r = 0, g = 0, b = 0] = colour.map(linear);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}
const linear = (value: number): number =>
  value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;

/** As WCAG 2 counts. */
const luminance = (colour: readonly number[]): number => {
  const [red = 0, green = 0, blue = 0] = colour.map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (a: readonly number[], b: readonly number[]): number => {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
};
