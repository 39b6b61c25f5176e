/** What a command that only asks the daemon loads: no daemon. */
import { build } from 'esbuild';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** What a terminal loads of the daemon, each with the most bytes that it may have, all that it imports with it: a tenth more than it has. */
const most = {
  'supervisor/daemon/control': 31_000,
  'client/drain': 55_500,
  'client/found': 68_000,
  'client/stop-daemon': 52_500,
  'client/until-ready': 69_500,
} as const;
/** What is loaded with the settings, by every command before it begins: they say whose a state directory is. */
const everyCommands = /valibot|src\/(?:config|domain)\//;
type Client = keyof typeof most;
const clients = Object.keys(most) as Client[];

/** Source file -> bytes, for each. */
const loads = new Map<string, ReadonlyMap<string, number>>();
beforeAll(async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: clients.map((name) => `src/${name}.ts`),
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    minifySyntax: true,
    minifyWhitespace: true,
    write: false,
    metafile: true,
  });
  const { outputs } = metafile;
  /** What is loaded at once with a file; not what it imports when it comes to it. */
  const closure = (path: string, seen: Set<string>): Set<string> => {
    if (seen.has(path)) return seen;
    seen.add(path);
    for (const { path: next, kind, external } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && external !== true) closure(next, seen);
    return seen;
  };
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    if (entryPoint === undefined) continue;
    const inputs = [...closure(path, new Set())].flatMap((file) =>
      Object.entries(outputs[file]?.inputs ?? {}),
    );
    loads.set(
      entryPoint,
      new Map(inputs.map(([name, { bytesInOutput }]) => [name, bytesInOutput])),
    );
  }
});

// Behaviour 228: A command that only talks to the daemon loads neither the daemon's own code, nor a VM program's
// driver, nor the code that writes the daemon's log.
test.each(clients)('%s', (name) => {
  const loaded = loads.get(`src/${name}.ts`) ?? new Map<string, number>();
  const daemons =
    /supervisor\/(?:supervisor|scope|start\/start|start\/children)\.ts|src\/vm\/.*\/|pino/;
  expect([...loaded.keys()].filter((file) => daemons.test(file))).toEqual([]);
  const bytes = [...loaded]
    .filter(([file]) => !everyCommands.test(file))
    .reduce((sum, [, size]) => sum + size, 0);
  expect(bytes).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThan(most[name]);
});
