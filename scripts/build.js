// Bundles the program of the current directory's src/ into dist/, or into the directory that is given. One entry a command; commands are split
// off and loaded when called, so that `status` does not pay for what `image build` needs.
import { build, transform } from 'esbuild';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { licenceTexts } from './licences.js';

const begun = new Date();
// The last one is the mark by which scripts/up knows how old dist/ is.
const entries = ['nix-linuxkit-configure', 'main'];
const target = 'node20';
// An entry and what it imports at once look at the Node first, so that one that is too old can say so.
const entryTarget = 'node12';
const folder = process.argv[2] ?? 'dist';
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
// Names stay, for the stack of a bug.
const minify = { minifySyntax: true, minifyWhitespace: true };

const { outputFiles, metafile } = await build({
  entryPoints: entries.map((name) => `src/${name}.ts`),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target,
  write: false,
  metafile: true,
  sourcemap: 'inline',
  // What is installed beside the program. openpgp is LGPL, and stays a package of its own; xz-decompress finds its wasm beside itself.
  external: Object.keys(dependencies),
  logLevel: 'warning',
});

const dist = new Map([
  ['package.json', '{"type":"commonjs"}\n'],
  ['LICENCES.txt', licenceTexts(Object.keys(metafile.inputs))],
]);
const first = new Set();
for (const name of entries) addWithImports(`dist/${name}.js`);
for (const { path, text } of outputFiles) {
  const name = basename(path);
  const made = await commonJs(name, text, first.has(`dist/${name}`) ? entryTarget : target);
  for (const [file, content] of made) dist.set(file, content);
}

mkdirSync(folder, { recursive: true });
// A build that is killed leaves the old program or the new one, whole: what an entry needs is there before it.
const scripts = entries.map((name) => `${name}.js`);
for (const name of dist.keys()) if (!scripts.includes(name)) replace(name, 0o644);
for (const name of scripts) replace(name, 0o755);
// The old program's files go last: somebody may be running it.
for (const name of readdirSync(folder)) if (!dist.has(name)) rmSync(join(folder, name));

/** A file that is loaded before anything is known of the Node, and those that it loads. */
function addWithImports(path) {
  if (first.has(path)) return;
  first.add(path);
  for (const { path: next, kind, external } of metafile.outputs[path].imports)
    if (kind === 'import-statement' && external !== true) addWithImports(next);
}

/** Puts a file in its place at once. It is as old as the sources that it was made of. */
function replace(name, mode) {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, dist.get(name), { mode });
  utimesSync(`${path}.new`, begun, begun);
  renameSync(`${path}.new`, path);
}

/**
 * A file and its map as CommonJS, which esbuild cannot split: Node loads some thirty small files of it in half the time, and the
 * door of a starting daemon is open a third sooner.
 */
async function commonJs(name, text, target) {
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
