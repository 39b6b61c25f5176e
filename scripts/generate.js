// Writes what is made from the sources into the files where people read it.
// usage: node scripts/generate.js [--check]   with --check it only says which files are not current, and ends with 1
import { build } from 'esbuild';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as prettier from 'prettier';

const root = join(import.meta.dirname, '..');

/** What each generated part of a page is, by the name in its marks. */
const parts = [['docs/configuration.md', 'settings', 'scripts/settings-page.ts', 'settingsPage']];

/** Files that are made whole. */
const files = [['docs/status.schema.json', 'scripts/status-schema.ts', 'statusSchemaFile']];

const stale = [];
for (const [file, source, make] of files) await put(file, (await sourceOf(source))[make]());
for (const [page, name, source, make] of parts) {
  const path = join(root, page);
  const before = readFileSync(path, 'utf8');
  const [begin, end] = [`<!-- ${name}: made by scripts/generate.js -->`, `<!-- end of ${name} -->`];
  const [head, rest] = before.split(begin);
  const [, tail] = rest?.split(end) ?? [];
  if (tail === undefined) throw new Error(`${page} has no marks of ${name}`);
  const made = (await sourceOf(source))[make]();
  await put(page, `${head}${begin}\n\n${made}\n${end}${tail}`);
}
for (const page of stale) console.log(page);
if (process.argv.includes('--check') && stale.length > 0) process.exitCode = 1;

async function put(file, made) {
  const path = join(root, file);
  const text = await formatted(path, made);
  if (text === readFileSync(path, 'utf8')) return;
  stale.push(file);
  if (!process.argv.includes('--check')) writeFileSync(path, text);
}

/** A source file as a module. */
async function sourceOf(path) {
  // Below node_modules, where what the sources import is found.
  const folder = mkdtempSync(join(root, 'node_modules/.generate-'));
  try {
    const outfile = join(folder, 'source.mjs');
    const options = { bundle: true, format: 'esm', platform: 'node', packages: 'external' };
    await build({ absWorkingDir: root, entryPoints: [path], outfile, ...options });
    return await import(pathToFileURL(outfile));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function formatted(path, text) {
  const options = (await prettier.resolveConfig(path)) ?? {};
  return prettier.format(text, { ...options, filepath: path });
}
