import { describe, expect, test } from 'vitest';
import { bootsIn, usualMs } from '../../src/supervisor/status/boots.ts';

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
    expect(bootsIn(text)).toEqual([
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
    expect(bootsIn('')).toEqual([]);
  });

  test('usually take the median of the last nine', () => {
    const boot = (readyMs: number | undefined) => ({ begun: '', steps: [], readyMs });
    expect(usualMs([])).toBeUndefined();
    expect(usualMs([boot(undefined)])).toBeUndefined();
    expect(usualMs([5000, undefined, 3000, 90_000].map(boot))).toBe(5000);
    expect(usualMs([...Array<number>(20).fill(1), ...Array<number>(9).fill(7)].map(boot))).toBe(7);
  });
});
