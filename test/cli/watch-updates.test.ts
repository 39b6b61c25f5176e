import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keepNews } from '../../src/image/image-news.ts';
import { ImageWatch, type WatchOptions } from '../../src/cli/image/watch-updates.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

const hour = 60 * 60 * 1000;
let layout: Layout;
let clock: FakeClock;
let ran: string[];
/** What a look finds. */
let newer: number;
let works: boolean;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'watch-')));
  mkdirSync(layout.state);
  clock = new FakeClock(Date.parse('2026-12-01T00:00:00Z'));
  [ran, newer, works] = [[], 0, true];
});
afterEach(() => removeTree(layout.root));

const watch = (options: Partial<WatchOptions> = {}) =>
  new ImageWatch({
    layout,
    clock,
    assets: '/nowhere',
    signal: new AbortController().signal,
    mode: () => Promise.resolve('notify'),
    isOurs: () => true,
    isIdle: () => Promise.resolve(true),
    onBattery: () => Promise.resolve(false),
    runSelf: (argv) => {
      ran.push(argv.join(' '));
      const now = new Date(clock.now()).toISOString();
      const found = argv.includes('--check') ? newer : 0;
      const news = { version: 1 as const, lookedAt: now, securityDate: now, newer: found };
      if (works) keepNews(layout, news);
      return Promise.resolve({
        ended: { kind: 'exited', code: works ? 0 : 69 },
        stdout: '',
        stderr: '',
      });
    },
    ...options,
  });
const look = () => `image update --check --quiet --directory ${layout.root}`;
const update = () => `image update --quiet --directory ${layout.root}`;

// Behaviour 159: Unless `imageUpdates` is `off`, the daemon checks Debian's security archive for newer packages once
// a day, but not on battery. With `auto`, it also makes a new image while no client is in the guest, and the next
// start uses that image.
describe('the daemon looks for newer packages', () => {
  test('once a day, whoever has looked, and whatever came of it', async () => {
    const one = watch();
    await one.turn();
    await one.turn();
    expect(ran).toEqual([look()]);
    await clock.advance(25 * hour);
    works = false;
    await one.turn();
    await one.turn();
    expect(ran).toHaveLength(2);
    await clock.advance(25 * hour);
    await watch().turn();
    expect(ran).toHaveLength(3);
  });

  test('also where the clock was set back since', async () => {
    await watch().turn();
    clock = new FakeClock(Date.parse('2026-11-01T00:00:00Z'));
    await watch().turn();
    expect(ran).toHaveLength(2);
  });

  test.each<[string, Partial<WatchOptions>]>([
    ['when it is not to', { mode: () => Promise.resolve('off') }],
    ['when the settings cannot be taken', { mode: () => Promise.resolve(undefined) }],
    ['on battery', { onBattery: () => Promise.resolve(true) }],
    ['when another daemon has the state directory', { isOurs: () => false }],
  ])('not %s', async (_, options) => {
    await watch(options).turn();
    expect(ran).toEqual([]);
  });

  test('and leaves it at that, unless it is to make an image of them', async () => {
    newer = 3;
    await watch().turn();
    expect(ran).toEqual([look()]);
  });

  test('and makes an image of them when nobody is in the guest, once', async () => {
    newer = 3;
    let idle = false;
    const auto = watch({
      mode: () => Promise.resolve('auto'),
      isIdle: () => Promise.resolve(idle),
    });
    await auto.turn();
    expect(ran).toEqual([look()]);
    idle = true;
    await auto.turn();
    await auto.turn();
    expect(ran).toEqual([look(), update()]);
  });

  test('and does not try in vain again and again', async () => {
    newer = 3;
    const auto = watch({ mode: () => Promise.resolve('auto') });
    await auto.turn();
    works = false;
    for (let turn = 0; turn < 4; turn++) await auto.turn();
    expect(ran.filter((words) => words === update())).toHaveLength(1);
  });
});
