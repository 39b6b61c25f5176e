/** Whether what GitHub would run is there: the workflows cannot run here, and every script that they call can. */
import { accessSync, constants, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly run?: string;
  readonly uses?: string;
}
interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
}

const checkout = resolve(import.meta.dirname, '..');
const folder = join(checkout, '.github/workflows');
const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

describe.each(readdirSync(folder))('%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  const steps = Object.values((parse(text) as Workflow).jobs).flatMap((job) => job.steps);

  test('calls scripts that are here', () => {
    const lines = steps.flatMap(({ run }) => run ?? []);
    expect(lines.length).toBeGreaterThan(0);
    for (const [path] of lines.join('\n').matchAll(/(?<=^|\s)scripts\/\S+/g))
      expect(() => accessSync(join(checkout, path), constants.X_OK), path).not.toThrow();
    for (const [, script = 'test'] of lines.join('\n').matchAll(/npm (?:run (\S+)|test)/g))
      expect(scripts, script).toHaveProperty([script]);
  });

  test('names the version of each action, and says that it cannot run here', () => {
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@v\d+$/);
    expect(text).toMatch(/cannot be run from a checkout/);
  });
});

test('who reports a fault is asked for the report of doctor', () => {
  const template = readFileSync(join(checkout, '.github/ISSUE_TEMPLATE/fault.yml'), 'utf8');
  expect(parse(template)).toMatchObject({ name: expect.any(String) as string });
  expect(template).toContain('linuxkit-builder doctor --report');
});
