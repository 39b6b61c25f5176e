// Whether the other Nodes ran the same unit tests as the first one, but for those that need one Node only (see vitest.config.ts): an
// option that is not understood would leave out none of them, or too many, without a word.
// usage: node scripts/same-tests.js RESULTS
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const once = JSON.parse(readFileSync('test/once.json', 'utf8'));
const folder = process.argv[2] ?? '.';
const testsOf = (report) =>
  new Map(
    JSON.parse(readFileSync(join(folder, report), 'utf8')).testResults.map((file) => [
      relative('.', file.name),
      file.assertionResults.length,
    ]),
  );
const isOnce = (file) => once.some((part) => file.startsWith(part));
const first = testsOf('unit.json');
const expected = [...first].filter(([file]) => !isOnce(file));
for (const report of readdirSync(folder).filter((name) => /^unit-.*\.json$/.test(name))) {
  const found = testsOf(report);
  const differ = [
    ...expected.filter(([file, count]) => found.get(file) !== count).map(([file]) => file),
    ...[...found.keys()].filter((file) => isOnce(file) || !first.has(file)),
  ];
  const all = [...found.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `${report}: ${found.size} files, ${all} tests of the ${first.size} files of unit.json`,
  );
  if (differ.length === 0) continue;
  console.log(`FAILED ${report} is not what unit.json is, in: ${differ.join(' ')}`);
  process.exitCode = 1;
}
