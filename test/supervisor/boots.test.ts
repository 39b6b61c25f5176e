import { appendFileSync, mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BootRecord } from '../../src/supervisor/status/boot-record.ts';
import { bootsInLog, usualMs } from '../../src/supervisor/status/boots.ts';
import { bootsOf } from '../../src/command/boot-logs.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { removeTree } from '../remove-tree.ts';

const phase = (time: string, name: string) =>
  JSON.stringify({ level: 'info', time, event: 'phase', phase: name });
const saw = (name: string, ms: number) =>
  JSON.stringify({ level: 'info', event: 'seen', name, ms });

describe('the starts in a log', () => {
  test('are read with their steps, whether they became ready or not', () => {
    const text = [
      saw('ready', 99),
      phase('2026-01-01T00:00:00.000Z', 'starting'),
      saw('init', 1000),
      '{"event":"seen","name":',
      saw('ready', 4000),
      phase('2026-01-01T00:00:04.000Z', 'ready'),
      saw('stop', 900_000),
      phase('2026-01-02T00:00:00.000Z', 'starting'),
      saw('init', 1200),
      '{"event":"phase"}',
    ].join('\n');
    expect(bootsInLog(text)).toEqual([
      {
        begun: '2026-01-01T00:00:00.000Z',
        steps: [
          { name: 'init', ms: 1000 },
          { name: 'ready', ms: 4000 },
        ],
        readyMs: 4000,
      },
      {
        begun: '2026-01-02T00:00:00.000Z',
        steps: [{ name: 'init', ms: 1200 }],
        readyMs: undefined,
      },
    ]);
    expect(bootsInLog('')).toEqual([]);
  });

  test('usually take the median of the last nine', () => {
    const boot = (readyMs: number | undefined) => ({ begun: '', steps: [], readyMs });
    expect(usualMs([])).toBeUndefined();
    expect(usualMs([boot(undefined)])).toBeUndefined();
    expect(usualMs([5000, undefined, 3000, 90_000].map(boot))).toBe(5000);
    expect(usualMs([...Array<number>(20).fill(1), ...Array<number>(9).fill(7)].map(boot))).toBe(7);
  });
});

describe('boots.jsonl', () => {
  const at = Date.parse('2026-01-02T00:00:00.000Z');
  let layout: ReturnType<typeof layoutOf>;
  beforeEach(() => {
    layout = layoutOf(mkdtempSync(join(tmpdir(), 'boots-')));
    mkdirSync(dirname(layout.boots));
  });
  afterEach(() => removeTree(layout.root));

  test('has each start with its steps, also one that a killed daemon did not see the end of', () => {
    const first = new BootRecord(layout.boots, at);
    first.step({ name: 'init', ms: 1000 });
    appendFileSync(layout.boots, '{"name":"see\n');
    first.step({ name: 'ready', ms: 4000 });
    first.step({ name: 'late', ms: 5000 });
    new BootRecord(layout.boots, at + 60_000).step({ name: 'init', ms: 900 });
    const [begun, later] = [0, 60_000].map((ms) => new Date(at + ms).toISOString());
    const init = { name: 'init', ms: 1000 };
    expect(bootsOf(layout)).toEqual([
      { begun, steps: [init, { name: 'ready', ms: 4000 }], readyMs: 4000 },
      { begun: later, steps: [{ name: 'init', ms: 900 }], readyMs: undefined },
    ]);
  });

  test('has a start that begins after a line that was torn', () => {
    new BootRecord(layout.boots, at);
    appendFileSync(layout.boots, '{"name":"ini');
    new BootRecord(layout.boots, at + 60_000).step({ name: 'init', ms: 900 });
    expect(bootsOf(layout).map(({ steps }) => steps)).toEqual([[], [{ name: 'init', ms: 900 }]]);
  });

  test('comes after what an older release has left in its log, and each start once', () => {
    const log = [phase('2026-01-01T00:00:00.000Z', 'starting'), saw('ready', 4000)];
    // The log of now has them as well, a moment later.
    log.push(phase('2026-01-02T00:00:00.004Z', 'starting'), saw('init', 1000));
    writeFileSync(layout.log, log.join('\n'));
    expect(bootsOf(layout).map(({ begun }) => begun)).toEqual([
      '2026-01-01T00:00:00.000Z',
      '2026-01-02T00:00:00.004Z',
    ]);
    new BootRecord(layout.boots, at).step({ name: 'init', ms: 1000 });
    expect(bootsOf(layout).map(({ begun }) => begun)).toEqual([
      '2026-01-01T00:00:00.000Z',
      '2026-01-02T00:00:00.000Z',
    ]);
  });

  test('loses its older half when it is large, and nothing else; its directory may be gone', () => {
    for (let start = 0; start < 4000; start++)
      new BootRecord(layout.boots, at + start).step({ name: 'init', ms: start });
    expect(statSync(layout.boots).size).toBeLessThan(300 * 1024);
    const boots = bootsOf(layout);
    expect(boots.length).toBeGreaterThan(1000);
    expect(boots.every(({ steps }) => steps.length === 1)).toBe(true);
    expect(boots.at(-1)?.begun).toBe(new Date(at + 3999).toISOString());
    removeTree(dirname(layout.boots));
    new BootRecord(layout.boots, at).step({ name: 'init', ms: 1 });
    mkdirSync(dirname(layout.boots));
  });
});
