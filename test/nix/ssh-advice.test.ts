/** What this program advises to write into a configuration of ssh, written there: the real ssh says whether it helps. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { strayOptions } from '../../src/nix/ssh/effective.ts';
import { exceptGuest, includeLine, notGuest, sshConfig } from '../../src/nix/ssh/stanza.ts';
import { run, succeeded } from '../../src/system/process/child.ts';
import { removeTree } from '../remove-tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'ssh advice-'));
afterAll(() => removeTree(directory));

const ours = join(directory, 'ours');
const keys = { identityFile: '/i', knownHosts: '/k' };
writeFileSync(ours, sshConfig({ port: 24083, holdSeconds: 180, takenBack: [], ...keys }));
const include = includeLine(ours);

/** All that ssh makes of a configuration for a host; for ours, of `ours` where no lines are given. */
async function listing(lines?: readonly string[], host = 'nix-linuxkit'): Promise<string> {
  const file = join(directory, 'config');
  writeFileSync(file, (lines ?? [include]).join('\n'));
  const ran = await run('ssh', ['-F', file, '-G', host], { timeoutMs: 10_000 });
  expect(succeeded(ran), ran.stderr).toBe(true);
  return ran.stdout;
}

const options = ['SendEnv SECRET_*', 'GatewayPorts yes', 'EscapeChar none', 'SetEnv A=b'];

test.each([
  ['below our lines', (lines: readonly string[]) => [include, ...lines]],
  ['above them', (lines: readonly string[]) => [...lines, 'Host *', include]],
])('a line that keeps options from the guest, %s', async (_, around) => {
  const alone = await listing();
  const reached = await listing(around(['Host *', ...options]));
  expect(strayOptions(alone, reached)).toHaveLength(options.length);
  const spared = around([exceptGuest, ...options]);
  expect(strayOptions(alone, await listing(spared))).toEqual([]);
  expect(await listing(spared, 'other.example')).toMatch(/^gatewayports yes$/m);
});

test('a line above a word that this ssh does not know', async () => {
  const unknown = ['Host *', 'UseKeychainOfMacOS yes', include];
  expect(
    strayOptions(await listing(), await listing(['IgnoreUnknown UseKeychainOfMacOS', ...unknown])),
  ).toMatchObject([{ name: 'ignoreunknown' }]);
  expect(await listing(['IgnoreUnknown UseKeychainOfMacOS', ...unknown], 'other')).not.toBe('');
});

test('a word by which a command is not run for the guest', async () => {
  const ran = join(directory, 'ran');
  const config = (words: string) => [include, `Match ${words} exec "touch '${ran}'"`, 'Port 9'];
  await listing(config(''));
  expect(existsSync(ran)).toBe(true);
  rmSync(ran);
  await listing(config(notGuest));
  expect(existsSync(ran)).toBe(false);
  await listing(config(notGuest), 'other.example');
  expect(existsSync(ran)).toBe(true);
});
