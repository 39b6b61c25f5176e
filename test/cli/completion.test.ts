import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { examples } from '../../src/cli/shell/examples.ts';
import { run as runProgram } from '../../src/cli/program.ts';
import { Exit } from '../../src/system/failure.ts';
import { run, succeeded } from '../../src/system/process/child.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const scripts: Record<string, string> = {};
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) scripts[shell] = await printed('completion', shell);
});

async function printed(...argv: string[]): Promise<string> {
  const out: string[] = [];
  const world = {
    env: {},
    home: '/nonexistent',
    assets: '/',
    out: (line: string) => void out.push(line),
    err: () => undefined,
    isTTY: false,
    signal: new AbortController().signal,
    clock: systemClock,
    onStopSignal: () => undefined,
  };
  expect(await runProgram(argv, world, '0')).toBe(0);
  return `${out.join('\n')}\n`;
}

/** What bash offers after these words. */
async function offered(...words: string[]): Promise<string[]> {
  const list = ['linuxkit-builder', ...words].map((word) => `'${word}'`).join(' ');
  const script = `${scripts['bash'] ?? ''}
COMP_WORDS=(${list}); COMP_CWORD=${words.length}
_linuxkit_builder; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await run('bash', ['-c', script]);
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

describe('bash completes', needs({ programs: ['bash'] }), () => {
  test('commands', async () => {
    expect(await offered('st')).toEqual(['status', 'start', 'stop']);
    expect(await offered('')).toContain('unconfigure');
  });
  test('options of a command', async () => {
    expect(await offered('configure', '--no')).toEqual([
      '--no-keep-awake',
      '--no-autostart',
      '--no-root',
    ]);
    expect(await offered('doctor', '--f')).toEqual(['--faults', '--fix']);
  });
  test('commands below a command, and their options', async () => {
    expect(await offered('image', '')).toEqual(expect.arrayContaining(['build', 'verify']));
    expect(await offered('image', 'build', '--up')).toEqual(['--update']);
  });
  test('files after an option that takes one, with spaces in them', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'Jörgs Ordner-'));
    writeFileSync(join(directory, 'a b.html'), '');
    try {
      expect(await offered('boot-report', '--html', join(directory, 'a'))).toEqual([
        join(directory, 'a b.html'),
      ]);
    } finally {
      removeTree(directory);
    }
  });
  test('nothing that is hidden', async () =>
    expect(await offered('configure', '--root')).not.toContain('--root-part'));
});

test.each(['bash', 'zsh', 'fish'])('%s can read its script', async (shell) => {
  const text = scripts[shell] ?? '';
  for (const word of ['explain', 'autostart']) expect(text).toContain(word);
  if (tryProgram(shell) === undefined) return;
  await withFile(text, async (path) => {
    const ran = await run(shell, ['-n', path]);
    expect(ran.stderr).toBe('');
    expect(succeeded(ran)).toBe(true);
  });
});

test('fish completes', needs({ programs: ['fish'] }), () =>
  withFile(scripts['fish'] ?? '', async (path) => {
    const offers = async (line: string) => {
      const script = `source ${path}; complete -C "linuxkit-builder ${line}"`;
      const { stdout } = await run('fish', ['--no-config', '-c', script]);
      return stdout.split('\n').map((each) => each.split('\t')[0]);
    };
    expect(await offers('st')).toEqual(expect.arrayContaining(['start', 'stop', 'status']));
    expect(await offers('image b')).toContain('build');
    expect(await offers('doctor --f')).toContain('--fix');
  }),
);

describe('the manual page', () => {
  test('has every command with its options, examples and the exit codes', async () => {
    const page = await printed('man');
    for (const words of ['configure', 'image build', 'explain', 'boot\\-report'])
      expect(page).toContain(`.SS "${words} `);
    expect(page).toContain('.B \\-\\-no\\-autostart');
    expect(page).toContain('.SH EXIT STATUS');
    expect(page).not.toContain('root\\-part');
    for (const code of Object.values(Exit)) expect(page).toContain(`.B ${code}\n`);
  });

  test('is read by groff without a word', needs({ programs: ['groff'] }), async () => {
    const ran = await run('groff', ['-man', '-ww', '-Tutf8'], { input: await printed('man') });
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toContain('unconfigure');
  });
});

test('each command, and each command below one, has an example in its help', async () => {
  const below = async (words: readonly string[]): Promise<string[][]> => {
    const help = await printed(...words, '--help');
    const list = help.replace(/^Arguments:\n( .*\n)*/m, '');
    const names = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name ?? '');
    const found = names.filter((name) => name !== 'help').map((name) => [...words, name]);
    return [...found, ...(await Promise.all(found.map(below))).flat()];
  };
  const commands = await below([]);
  expect(commands.map((words) => words.join(' ')).sort()).toEqual(Object.keys(examples).sort());
  for (const words of commands) expect(await printed(...words, '--help')).toContain('Examples:');
});

async function withFile(text: string, work: (path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'completion-'));
  try {
    const path = join(directory, 'script');
    writeFileSync(path, text);
    await work(path);
  } finally {
    removeTree(directory);
  }
}
