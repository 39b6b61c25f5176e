// Adds up what the test runs found: names each failure with its reason, and why tests were skipped, then the last line that
// scripts/test prints. Fails when anything failed, a file could not be loaded included. A failure in a file that passed when it was run
// again is unsteady: it is named too, but does not fail the run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { skippedLines } from './skipped.js';

const folder = process.argv[2] ?? '.';
const reports = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, ...JSON.parse(readFileSync(join(folder, name), 'utf8')) }));

const passedAgain = (report) => {
  const path = join(folder, 'again', report);
  if (!existsSync(path)) return [];
  const { testResults } = JSON.parse(readFileSync(path, 'utf8'));
  return testResults.filter(({ status }) => status === 'passed').map(({ name }) => name);
};
const found = reports.flatMap(({ name, testResults }) =>
  testResults.flatMap((file) => {
    const label = `${name.replace('.json', '')} ${relative('.', file.name)}`;
    const how = passedAgain(name).includes(file.name) ? 'UNSTEADY' : 'FAILED';
    const failed = file.assertionResults.filter(({ status }) => status === 'failed');
    if (failed.length === 0 && file.status === 'failed') return [[how, label, file.message]];
    return failed.map((test) => [
      how,
      `${label}: ${test.fullName}`,
      test.failureMessages.join('\n'),
    ]);
  }),
);
const failures = found.filter(([how]) => how === 'FAILED');
/** What was expected stands at the end, behind all that a program may have said: of a long reason both ends are kept. */
const ends = (text) =>
  text.length <= 3_000 ? text : `${text.slice(0, 1_000)}\n[…]\n${text.slice(-2_000)}`;
for (const [how, what, why] of found)
  console.log(`${how} ${what}\n${ends(why).replace(/^/gm, '    ')}`);

const left = reports.flatMap(({ testResults }) =>
  testResults
    .flatMap((file) => file.assertionResults)
    .filter(({ status }) => status === 'skipped')
    .map(({ meta }) => meta.skipped),
);
for (const line of skippedLines(left)) console.log(line);

const sum = (field) => reports.reduce((total, report) => total + report[field], 0);
const [passed, skipped] = ['numPassedTests', 'numPendingTests'].map(sum);
const unsteady = found.length - failures.length;
console.log(
  `${passed} passed, ${failures.length} failed, ${unsteady} unsteady, ${skipped} skipped`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
