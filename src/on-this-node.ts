// Every Node has to understand this file; what only a new one does is loaded when this is one.
import { unfitExit, unfitNode } from './node-version.ts';

/** Runs a command line; on a Node that is too old it says so and ends. */
export function onThisNode(argv: readonly string[]): void {
  const unfit = unfitNode(process.versions.node, process.execPath);
  if (unfit === undefined) void import('./begin.ts').then(({ begin }) => begin(argv));
  else {
    process.stderr.write(`${unfit}\n`);
    process.exitCode = unfitExit;
  }
}
