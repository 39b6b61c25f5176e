import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { i686Program, i686Script, ranI686 } from '../../src/guest/login/i686.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

/** Kernels that run nothing of 32 bits are about. */
const runsI686: Need = {
  what: 'a kernel that runs programs of i686',
  isMet:
    process.platform === 'linux' &&
    process.arch === 'x64' &&
    ranI686(execFileSync('/bin/sh', { input: i686Script, encoding: 'utf8' })) === true,
};

describe('the program, run here', needs(runsI686), () => {
  let directory: string;
  let program: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'i686-'));
    program = join(directory, 'program');
    writeFileSync(program, i686Program(), { mode: 0o755 });
  });
  afterEach(() => removeTree(directory));

  test('says what the machine is, by its own name and as a build of i686-linux sees it', () => {
    expect(execFileSync(program, { encoding: 'utf8' })).toBe('x86_64\n');
    expect(execFileSync('setarch', ['i686', program], { encoding: 'utf8' })).toBe('i686\n');
  });

  test('says it into the file that is named', () => {
    const out = join(directory, 'out');
    expect(execFileSync(program, [out], { encoding: 'utf8' })).toBe('');
    expect(readFileSync(out, 'utf8')).toBe('x86_64\n');
  });
});

test('a program that no kernel takes is one that did not run', () => {
  const broken = i686Script.replace('\\177\\105\\114\\106', '\\176\\105\\114\\106');
  expect(broken).not.toBe(i686Script);
  const said = execFileSync('/bin/sh', {
    input: broken,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  expect(ranI686(said)).toBe(false);
});

test.each([
  ['x86_64\n', true],
  ['i686\n', true],
  ['no\n', false],
  ['', undefined],
  ['aarch64\n', undefined],
])('what came back says whether it ran: %j', (said, ran) => expect(ranI686(said)).toBe(ran));
