import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { strayOptions, variablesSent } from '../../src/nix/ssh/effective.ts';
import { configLines, setsOption } from '../../src/nix/ssh/config-lines.ts';
import { run } from '../../src/system/process/child.ts';
import { OthersFiles } from '../../src/system/files/others-files.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'effective-'))));
afterEach(() => removeTree(dir));

const put = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const listing = async (file: string) =>
  (await run('ssh', ['-G', '-F', file, 'nix-linuxkit'], { timeoutMs: 10_000 })).stdout;

test("somebody else's options are told from ours, by what ssh itself makes of both", async () => {
  const ours = 'Host nix-linuxkit\n  Port 1\n';
  const alone = await listing(put('ours', ours));
  const all = await listing(put('all', `${ours}Host *\n  Port 2\n  GatewayPorts yes\n`));
  expect(strayOptions(alone, all)).toEqual([{ name: 'gatewayports', value: 'yes' }]);
  expect(strayOptions(alone, alone)).toEqual([]);
});

// Behaviour 193: `doctor` names the environment variables that your ssh, or root's, would send to the guest, except
// those for language and colours. It does not show their values.
test('what is sent to the guest is told by its name alone', async () => {
  const text = 'Host *\n SendEnv AWS_* LANG\n SendEnv LC_*\n SetEnv TOKEN=hush B="a FOO=c"\n';
  const all = await listing(put('sends', text));
  expect(variablesSent(all)).toEqual(['AWS_*', 'TOKEN', 'B']);
  expect(variablesSent(await listing(put('usual', 'Host *\n SendEnv LANG LC_*\n')))).toEqual([]);
});

test('a line with a long row of blanks in it is read as soon as any other', () => {
  const text = `Match host a${' '.repeat(100_000)}b\n`;
  const began = performance.now();
  const [line] = configLines(['/c'], { read: () => text, home: '' });
  expect(line).toMatchObject({ keyword: 'match', line: 1 });
  expect(performance.now() - began).toBeLessThan(2_000);
});

describe('an option is found where it stands', () => {
  const find = (name: string, file: string) =>
    configLines([file], { read: new OthersFiles().read, home: dir })
      .filter(setsOption(name))
      .map(({ file, line }) => ({ file, line }));

  test('in any case, with = or blanks, and by its older name', () => {
    const file = put('config', 'Host *\n  BINDADDRESS=1.2.3.4\n  PubkeyAcceptedKeyTypes a\n');
    expect(find('bindaddress', file)).toEqual([{ file, line: 2 }]);
    expect(find('pubkeyacceptedalgorithms', file)).toEqual([{ file, line: 3 }]);
    expect(find('port', file)).toEqual([]);
  });

  test('in files that are included, however that is written, and once round a circle', () => {
    mkdirSync(join(dir, 'a b'));
    const one = put('a b/one', 'SendEnv A\n');
    const two = put('two', `Include config\nsendenv B\n`);
    const file = put('config', `Include "${one}" ~/two none *.conf\n`);
    expect(find('sendenv', file)).toEqual([
      { file: one, line: 1 },
      { file: two, line: 2 },
    ]);
  });
});
