// Bundles the program into dist/. One entry a command; verbs are split off and loaded when called,
// so that `status` does not pay for what `image build` needs.
import { build } from 'esbuild';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

const entries = ['main', 'nix-linuxkit-configure'];
// The old program stays whole until the new one is: somebody may be running it.
const { metafile } = await build({
  metafile: true,
  entryPoints: entries.map((name) => `src/${name}.ts`),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Names stay, for the stack of a bug.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  logLevel: 'warning',
  // LGPL: stays a package of its own. xz-decompress finds its wasm beside itself.
  external: ['openpgp', 'xz-decompress'],
  banner: {
    js: "import { createRequire as makeRequire__ } from 'node:module'; import { fileURLToPath as urlToPath__ } from 'node:url'; const require = makeRequire__(import.meta.url); const __filename = urlToPath__(import.meta.url);",
  },
});
const made = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync('dist')) if (!made.has(name)) rmSync(join('dist', name));
for (const name of entries) chmodSync(`dist/${name}.js`, 0o755);
