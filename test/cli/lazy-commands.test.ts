import { Command, Help } from 'commander';
import { expect, test } from 'vitest';
import { addCommands, calledIn } from '../../src/cli/lazy-commands.ts';
import type { CliContext } from '../../src/command/context.ts';

function program() {
  const all = new Command('linuxkit-builder').enablePositionalOptions();
  return { all, define: addCommands(all, {} as CliContext, () => Promise.resolve(0)) };
}

test('the help shows each command as it is shown once it is defined', async () => {
  const { all, define } = program();
  const help = all.createHelp();
  const shown = all.commands.map((command) => help.subcommandTerm(command));
  await define(all.commands);
  expect(all.commands.map((command) => new Help().subcommandTerm(command))).toEqual(shown);
});

test('what is defined is not defined again', async () => {
  const { all, define } = program();
  await define(all.commands);
  // Commander refuses an option that a command has.
  await expect(define(all.commands)).resolves.toBeUndefined();
});

test.each([
  ['status', ['status']],
  ['status', ['status', '-d', 'list']],
  ['list', ['ls']],
  ['unconfigure', ['uninstall', '--help']],
  ['image', ['help', 'image', 'build']],
  ['status', ['--', 'help', '--', 'status']],
  [undefined, ['help']],
  [undefined, ['--version']],
  [undefined, ['statsu']],
  [undefined, []],
])('%s is called by %j', (name, argv) => {
  expect(calledIn(argv, program().all)[0]?.name()).toBe(name);
});
