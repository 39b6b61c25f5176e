// Bundles the program into dist/. One entry a command; verbs are split off and loaded when called,
// so that `status` does not pay for what `image build` needs.
import { build, transform } from 'esbuild';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const entries = ['main', 'nix-linuxkit-configure'];
const target = 'node20';
// Names stay, for the stack of a bug.
const minify = { minifySyntax: true, minifyWhitespace: true };

const { outputFiles } = await build({
  entryPoints: entries.map((name) => `src/${name}.ts`),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target,
  write: false,
  sourcemap: 'inline',
  // LGPL: stays a package of its own. xz-decompress finds its wasm beside itself.
  external: ['openpgp', 'xz-decompress'],
  logLevel: 'warning',
});

const dist = new Map([['package.json', '{"type":"commonjs"}\n']]);
for (const { path, text } of outputFiles)
  for (const [name, content] of await commonJs(basename(path), text)) dist.set(name, content);

mkdirSync('dist', { recursive: true });
for (const [name, content] of dist) writeFileSync(join('dist', name), content);
// The old program stays whole until the new one is: somebody may be running it.
for (const name of readdirSync('dist')) if (!dist.has(name)) rmSync(join('dist', name));
for (const name of entries) chmodSync(`dist/${name}.js`, 0o755);

/**
 * A file and its map as CommonJS, which esbuild cannot split: Node loads some thirty small files of it in half the time, and the
 * door of a starting daemon is open a third sooner.
 */
async function commonJs(name, text) {
  const { code, map } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target,
    ...minify,
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__moduleUrl' },
    sourcemap: 'external',
    sourcefile: name,
  });
  const moduleUrl = 'const __moduleUrl=require("node:url").pathToFileURL(__filename).href;';
  const [, shebang, rest] = /^(#!.*\n)?([^]*)$/.exec(code);
  const head = rest.includes('__moduleUrl') ? moduleUrl : '';
  return [
    [name, `${shebang ?? ''}${head}${rest}//# sourceMappingURL=${name}.map\n`],
    [`${name}.map`, map],
  ];
}
