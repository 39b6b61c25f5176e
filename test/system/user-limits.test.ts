import { expect, test, vi } from 'vitest';
import { userLimits } from '../../src/system/host/user-limits.ts';

test('asks no DNS, which might not answer for long', () => {
  const report: typeof process.report & { excludeNetwork?: boolean } = process.report;
  const { excludeNetwork } = report;
  let asks: boolean | undefined;
  const spied = vi.spyOn(report, 'getReport').mockImplementation(() => {
    asks = report.excludeNetwork !== true;
    return {};
  });
  expect(userLimits()).toEqual({});
  spied.mockRestore();
  report.excludeNetwork = excludeNetwork ?? false;
  expect(asks).toBe(false);
});

test('are there, by their names', () => {
  expect(userLimits()).toHaveProperty('open_files.soft');
});
