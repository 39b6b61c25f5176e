import { describe, expect, test } from 'vitest';
import { bootPage, bootSvg, bootTable } from '../../src/supervisor/status/boot-picture.ts';
import type { Boot } from '../../src/supervisor/status/boots.ts';

const boots: readonly Boot[] = [
  {
    begun: '2026-01-01T00:00:00.000Z',
    steps: [
      { name: 'init', ms: 1000 },
      { name: 'a <step>', ms: 3000 },
      { name: 'ready', ms: 4000 },
    ],
    readyMs: 4000,
  },
  { begun: '2026-01-02T00:00:00.000Z', steps: [{ name: 'init', ms: 2000 }], readyMs: undefined },
];

describe('the report of the starts', () => {
  test('in words', () => {
    expect(bootTable(boots)).toEqual([
      '2026-01-01T00:00:00.000Z  ready after 4.0 s: init 1.0, a <step> 2.0, ready 1.0',
      '2026-01-02T00:00:00.000Z  did not become ready: init 2.0',
      'Usually ready after 4.0 s.',
    ]);
    expect(bootTable([])).toHaveLength(1);
  });

  test('as a picture: each part where its time was', () => {
    const svg = bootSvg(boots);
    const parts = [...svg.matchAll(/<rect x="([\d.]+)"[^>]* width="([\d.]+)"/g)];
    expect(parts.map(([, x, width]) => [Number(x), Number(width)])).toEqual([
      [190, 190],
      [380, 380],
      [760, 190],
      [190, 380],
    ]);
    // The same step has the same colour in every start.
    const colors = [...svg.matchAll(/fill="(#[^"]+)"/g)].map(([, color]) => color);
    expect(colors[0]).toBe(colors[3]);
    expect(new Set(colors).size).toBe(3);
  });

  test('a start that was lost before its first step ends its line with that', () => {
    const lost = { begun: '2026-11-29T04:00:00.000Z', steps: [], readyMs: undefined };
    expect(bootTable([lost])).toEqual(['2026-11-29T04:00:00.000Z  did not become ready']);
  });

  test('on a page that needs nothing else, and takes no name for markup', () => {
    const page = bootPage(boots);
    expect(page).toContain('a &lt;step&gt;');
    expect(page).not.toContain('<step>');
    expect(page).not.toMatch(/<script|src=|href=|url\(|@import/);
    expect(bootPage([])).toContain('The log has no starts.');
  });
});
