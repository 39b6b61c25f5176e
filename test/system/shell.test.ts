/** Whether a shell takes a word as the word that it is. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { quotedWord, shellWord } from '../../src/system/shell.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';

const odd = [
  '',
  ' two  words ',
  "it's 'quoted'",
  '"$HOME" `id` $(id) \\n \\',
  'a\nb\n',
  '*?[a]{b,c}',
  '~',
  '=ls',
  'a=b',
  '-n',
  '#no comment',
  'a;b|c&d>e<f!g^h',
  'Jörg\u2028é',
];
const plain = ['/usr/bin/x-1.2_3', 'a@b:/c,d%e+f'];

// Behaviour 227: Each command that a message tells you to run can be pasted into a shell, whatever characters the
// paths in it contain.
test.each(['sh', 'bash', 'dash', 'zsh', 'ksh', 'busybox'])('for %s', (shell) => {
  const program = tryProgram(shell);
  if (program === undefined) return;
  const words = [...odd, ...plain];
  const applet = shell === 'busybox' ? ['sh'] : [];
  for (const quoted of [shellWord, quotedWord]) {
    const script = `printf '%s\\0' ${words.map(quoted).join(' ')}`;
    const { stdout, stderr } = spawnSync(program, [...applet, '-c', script], { encoding: 'utf8' });
    expect({ said: stdout.split('\0').slice(0, -1), stderr }).toEqual({ said: words, stderr: '' });
  }
});

test('is left as it is where no shell needs quotes', () => {
  expect(plain.map(shellWord)).toEqual(plain);
});
