/** An upgrade takes away what a process has not loaded: so whoever runs long has loaded all that it will ever need, before it waits. */
import { resolve } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';

let inputs: Metafile['inputs'];
beforeAll(async () => {
  const { metafile } = await build({
    absWorkingDir: resolve(import.meta.dirname, '../..'),
    entryPoints: ['src/main.ts'],
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    write: false,
    metafile: true,
    external: ['openpgp', 'xz-decompress'],
  });
  ({ inputs } = metafile);
});

const importsOf = (file: string, isLate: boolean) =>
  (inputs[file]?.imports ?? []).flatMap(({ path, kind }) =>
    path in inputs && (kind === 'dynamic-import') === isLate ? [path] : [],
  );

/** These files, and what comes with them. */
function loadedWith(files: readonly string[]): Set<string> {
  const loaded = new Set<string>();
  const load = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    importsOf(file, false).forEach(load);
  };
  files.forEach(load);
  return loaded;
}

/** What they load late that is not there yet: `file -> file`. */
const lateIn = (loaded: ReadonlySet<string>) =>
  [...loaded].flatMap((file) =>
    importsOf(file, true)
      .filter((late) => !loaded.has(late))
      .map((late) => `${file} -> ${late}`),
  );

const command = 'src/cli/daemon/daemon-command.ts';
const dryRun = 'src/cli/daemon/daemon-dry-run.ts';

test('a daemon has loaded all of itself 5 s after its start', () => {
  const parts = [
    ...importsOf(command, true).filter((file) => file !== dryRun),
    ...importsOf('src/supervisor/daemon/supervise.ts', true),
    ...importsOf('src/cli/daemon/background-tasks.ts', true),
    ...importsOf('src/system/lock/lock.ts', true),
  ];
  expect(parts.length).toBeGreaterThan(5);
  expect(lateIn(loadedWith([command, ...parts]))).toEqual([`${command} -> ${dryRun}`]);
});

/** Only where no daemon runs: then no build is waited for. */
const leftovers = 'src/client/stop-daemon.ts -> src/client/end-leftovers.ts';

test.each([
  ['src/cli/daemon/restart-command.ts', [leftovers]],
  ['src/cli/daemon/run-commands.ts', [leftovers]],
  ['src/cli/daemon/wait-command.ts', []],
  ['src/cli/guest/drain-commands.ts', []],
  ['src/cli/guest/give-back-commands.ts', []],
  ['src/cli/guest/suspend-commands.ts', []],
  ['src/cli/inspect/follow-commands.ts', []],
])('%s loads all of ours that it needs where it begins, before it waits', (file, allowed) => {
  const begun = loadedWith([file, ...importsOf(file, true)]);
  expect(begun.size).toBeGreaterThan(10);
  const late = lateIn(begun).filter((each) => !each.includes('node_modules/'));
  expect(late).toEqual(allowed);
});
