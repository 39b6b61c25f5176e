// The licences of what is built into the program, which have to go with it.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Texts of the packages that these files are of, each package once. files: paths of what esbuild took, some below node_modules. */
export function licenceTexts(files) {
  const packages = new Set(
    files.flatMap((file) => /^.*\bnode_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  const texts = [...packages].sort().map(licenceOf);
  return ['These packages are built into linuxkit-builder.', ...new Set(texts)].join(
    `\n\n${'-'.repeat(80)}\n`,
  );
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const names = readdirSync(folder)
    .filter((each) => /^(licen[cs]e|copying|notice)\b/i.test(each))
    .sort();
  if (names.length === 0)
    throw new Error(`${folder} has no text of its licence, and is built into the program`);
  const texts = names.map((each) => readFileSync(join(folder, each), 'utf8').trim());
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
}
