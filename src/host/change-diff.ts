/** Changes shown before they are made. The only file that knows the package diff. */
import { createTwoFilesPatch } from 'diff';
import type { FileChange } from './file-change.ts';

/** A change as a unified diff with a line above it that says what the file is for; a secret's content is not shown. */
export function changeDiff({ wanted, before, after, mode }: FileChange): string[] {
  const head = [`# ${wanted.path}: ${wanted.purpose}${modeWords(before?.standing.mode, mode)}`];
  if (wanted.content.kind === 'whole' && wanted.content.secret)
    return [...head, '# a private key; its content is not shown'];
  const old = before?.bytes.toString('utf8') ?? '';
  const from = before === undefined ? '/dev/null' : wanted.path;
  const patch = createTwoFilesPatch(from, wanted.path, old, after.toString('utf8'));
  // What comes before the names is the package's own ornament.
  const lines = patch.trimEnd().split('\n');
  return [...head, ...lines.slice(lines.findIndex((line) => line.startsWith('--- ')))];
}

function modeWords(before: number | undefined, mode: number): string {
  const shown = (bits: number) => `0${bits.toString(8)}`;
  if (before === undefined) return ` (new, mode ${shown(mode)})`;
  return before === mode ? '' : ` (mode ${shown(before)} to ${shown(mode)})`;
}
