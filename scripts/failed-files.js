// Prints the files of tests that failed in a report. Fails if they are more than MOST, or none: then it was something else that failed.
// usage: node scripts/failed-files.js REPORT MOST
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [report = '', most = '0'] = process.argv.slice(2);
const failed = JSON.parse(readFileSync(report, 'utf8'))
  .testResults.filter(({ status }) => status === 'failed')
  .map(({ name }) => relative('.', name));
console.log(failed.join(' '));
process.exitCode = failed.length > 0 && failed.length <= Number(most) ? 0 : 1;
