import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withRoots } from '../../src/host/system-paths.ts';
import { describeListFault, listFaults } from '../../src/nix/settings/list-faults.ts';
import { listFaultsOf } from '../../src/nix/warnings.ts';
import { detectNix } from '../../src/nix/variant.ts';
import { OthersFiles } from '../../src/system/files/others-files.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let folder: string;
beforeEach(() => {
  // No blank in it, which would end the name that follows an @.
  folder = mkdtempSync(join(tmpdir(), 'list-'));
});
afterEach(() => removeTree(folder));

const put = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const faultsIn = (machines: string) =>
  listFaults({ machines, builders: undefined, others: new OthersFiles() });
const nix = (version: string, flavour = '') =>
  detectNix(folder, `nix (${flavour}Nix) ${version}`, 'linux');

describe("a fault of Nix's list is told with its file and line", () => {
  test('in a file that is named by one that the list names, and once', () => {
    const deep = put('deep', '# mine\nssh://b\nssh://a - - many\n');
    const middle = put('middle', `@${deep}\n`);
    const list = put('machines', `@${middle}\n@${deep}\nssh://c\n`);
    expect(faultsIn(list)).toMatchObject([{ file: deep, line: 3 }]);
  });

  test('where several files have one each', () => {
    const first = put('first', 'ssh://a - - many\n');
    const second = put('second', '\n- x\n');
    const list = put('machines', `@${first};@${second}\n@${join(folder, 'none')}\n`);
    expect(faultsIn(list)).toMatchObject([
      { file: first, line: 1 },
      { file: second, line: 2 },
    ]);
  });

  test('where a file names itself, or a directory', () => {
    const list = put('machines', '');
    put('machines', `ssh://a\n@${list}\n@${folder}\n`);
    expect(faultsIn(list)).toMatchObject([
      { file: list, line: 2 },
      { file: list, line: 3 },
    ]);
  });

  test('in the setting `builders`, and in what that names', () => {
    mkdirSync(join(folder, 'etc/nix'), { recursive: true });
    const other = put('other', 'ssh://a - - many\n');
    put('etc/nix/machines', 'ssh://fine\n');
    const conf = put('etc/nix/nix.conf', `\nbuilders = @${other} ; - x\n`);
    const [home, rootHome, etcNix] = ['home', 'root', 'etc/nix'].map((name) => join(folder, name));
    const systemPaths = withRoots({
      home: home ?? '',
      rootHome: rootHome ?? '',
      etcNix: etcNix ?? '',
    });
    const options = { systemPaths, tree: folder, variant: nix('2.31'), env: {} };
    expect(listFaultsOf(options).map(({ file }) => file)).toEqual([conf, other]);
  });

  test('unless the Nix at hand does not mind', () => {
    const list = put('machines', 'ssh://a - - 1 1.5\n  # mine\nssh://b # ; of - - old\n');
    const told = (version: string, flavour?: string) =>
      faultsIn(list)
        .filter((fault) => describeListFault(fault, nix(version, flavour)) !== undefined)
        .map(({ line }) => line);
    expect(told('2.34.8')).toEqual([]);
    expect(told('2.26.3')).toEqual([2, 3]);
    expect(told('2.8.0')).toEqual([1, 2, 3]);
    // Which numbers its own versions.
    expect(told('2.93.0', 'Lix, like ')).toEqual([1, 2, 3]);
  });
});

describe(
  'the list is judged as the Nix of this machine judges it',
  needs({ programs: ['nix'] }),
  () => {
    /** Whether the program that it asks for builders takes the list, which that reads before anything else. */
    const takes = (list: string): boolean => {
      const program = join(folder, 'build-remote');
      if (!existsSync(program)) symlinkSync(tryProgram('nix') ?? '', program);
      const { status } = spawnSync(program, ['0'], {
        // No settings from whoever calls it; then it reads the list, and finds nobody who asks.
        input: Buffer.alloc(8),
        encoding: 'utf8',
        env: {
          NIX_CONF_DIR: folder,
          NIX_USER_CONF_FILES: '',
          NIX_STORE_DIR: join(folder, 'store'),
          NIX_STATE_DIR: join(folder, 'state'),
          NIX_CONFIG: `builders = @${list}`,
        },
      });
      return status === 0;
    };
    const version = /[\d.]+/.exec(
      spawnSync('nix', ['--version'], { encoding: 'utf8' }).stdout,
    )?.[0];

    test.each([
      'ssh://a x86_64-linux\n',
      'ssh://a\tx86_64-linux\t-\t4\t2\tkvm\t-\tYWJj\n',
      'ssh://a x86_64-linux - 4 2 kvm - YWJj ninth\n',
      'ssh://a - - 1 1 - - YWJj=\nssh://b - - 1 1 - - Y=**\n',
      'ssh://a - - 1 1 - - ***\n',
      'ssh://a - - 1 1 - - YW Jj\n',
      'ssh://a%20b - - 1\n',
      'ssh://a - - +1\n',
      'ssh://a - - 01 02\n',
      'ssh://a - - -1\n',
      'ssh://a - - 0\n',
      'ssh://a - - 0x4\n',
      'ssh://a - - 4294967296\n',
      'ssh://a - - 1 0\n',
      'ssh://a - - 1 1.5\n',
      'ssh://a - - 1 1e400\n',
      'ssh://a - /key with blank 4\n',
      '- x86_64-linux\n',
      '# ssh://a - - x\n',
      'ssh://a # ; - x\n',
      'ssh://a ; ssh://b\n',
      'ssh://a;\n',
      'ssh://a; \n',
      ';;\n',
      '   \nssh://a\n',
      '\t# mine\nssh://a\n',
      'ssh://a\r\nssh://b\r\n',
      'ssh://a\r\n\r\nssh://b\r\n',
      '@/none\nssh://a\n',
      '@/\n',
      '@\nssh://a\n',
    ])('%j', (text) => {
      const list = put('machines', text);
      const told = faultsIn(list).flatMap(
        (each) => describeListFault(each, nix(version ?? '')) ?? [],
      );
      expect(told.length === 0).toBe(takes(list));
    });
  },
);
