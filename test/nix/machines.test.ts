import { describe, expect, test } from 'vitest';
import { machinesLine, ourEntryIn, parseMachines, withIncluded } from '../../src/nix/machines.ts';
import { withoutBlock } from '../../src/host/managed-block.ts';
import { withLine } from '../../src/host/root/root-lines.ts';

const line = machinesLine({
  system: 'x86_64-linux',
  maxJobs: 4,
  features: ['big-parallel', 'linuxkit-builder'],
  hostPublicKey: 'ssh-ed25519 AAAAC3Nz some host\n',
});
const wanted = { line: '@/etc/nix/linuxkit-builder/machines', position: 'last' } as const;
const put = (text: string) => withLine(text, wanted);
const edited = (text: string) => withIncluded(put(text), () => `${line}\n`);

describe('our line', () => {
  test('is what Nix wants', () => {
    expect(line).toBe(
      'ssh-ng://builder@nix-linuxkit x86_64-linux - 4 1 big-parallel,linuxkit-builder - c3NoLWVkMjU1MTkgQUFBQUMzTno=',
    );
  });

  test('is found among others, of which one has a name that only ends as ours does', () => {
    const other = 'ssh-ng://builder@not-nix-linuxkit x86_64-linux - 9\n';
    expect(ourEntryIn(other)).toBeUndefined();
    expect(ourEntryIn(`${other}${line}\n`)?.maxJobs).toBe(4);
  });

  test.each(['old', 'new'] as const)('says what else Nix may be told, by the %s rules', (rules) => {
    const text = machinesLine({
      system: 'x86_64-linux',
      maxJobs: 1,
      features: ['kvm'],
      hostPublicKey: 'ssh-ed25519 A',
      mandatoryFeatures: ['kvm'],
      speedFactor: 3,
      protocol: 'ssh',
      extraSystems: ['i686-linux'],
    });
    expect(text).toMatch(/^ssh:\/\/builder@nix-linuxkit x86_64-linux,i686-linux - 1 3 kvm kvm /);
    expect(parseMachines(text, rules).machines).toMatchObject([
      { systems: ['x86_64-linux', 'i686-linux'] },
    ]);
    expect(parseMachines(text, rules).machines).toMatchObject([
      { store: 'ssh://builder@nix-linuxkit', speedFactor: 3, mandatory: ['kvm'] },
    ]);
  });

  test.each(['old', 'new'] as const)('is read back by the %s rules', (rules) => {
    expect(parseMachines(edited('ssh://a x86_64-linux\n'), rules)).toEqual({
      machines: [
        {
          store: 'ssh://a',
          systems: ['x86_64-linux'],
          maxJobs: 1,
          features: [],
          mandatory: [],
          speedFactor: 1,
        },
        {
          store: 'ssh-ng://builder@nix-linuxkit',
          systems: ['x86_64-linux'],
          maxJobs: 4,
          features: ['big-parallel', 'linuxkit-builder'],
          mandatory: [],
          speedFactor: 1,
        },
      ],
      bad: [],
      files: [],
    });
  });
});

describe('the file', () => {
  test.each([
    ['', ''],
    ['ssh://other x86_64-linux\n', 'other\n'],
    ['ssh://other\r\nssh://more\r\n', 'CRLF'],
    ['ssh://other', 'no newline at the end'],
  ])('keeps what others wrote, byte for byte: %j', (text) => {
    const file = put(text);
    expect(put(file)).toBe(file);
    expect(withoutBlock(Buffer.from(file)).toString()).toBe(text);
  });

  test.each([
    'ssh://nix-linuxkit x86_64-linux /etc/nix/key 2 1 kvm',
    'nix-linuxkit x86_64-linux',
    '  ssh-ng://root@nix-linuxkit',
  ])('loses a line of ours from before: %j', (old) => {
    expect(edited(`a\n${old}\nb\n`)).toBe(edited('a\nb\n'));
  });

  test.each(['# ssh://nix-linuxkit', 'ssh://nix-linuxkit2 x', 'ssh://a; ssh://nix-linuxkit'])(
    'keeps what only looks like ours: %j',
    (other) => expect(put(`${other}\n`).startsWith(`${other}\n`)).toBe(true),
  );
});

describe("Nix's rules", () => {
  test.each([
    ['ssh://a - - x', 'column 4'],
    ['ssh://a - - 1 -1', 'column 5'],
    ['ssh://a - - 1 1 - - ***', 'column 8'],
    ['- x86_64-linux', 'column 1'],
    ['ssh://a x86_64-linux /Library/My Keys/id 4 1', 'column 4'],
  ])('refuse %j', (text, message) => {
    for (const rules of ['old', 'new'] as const) {
      const { bad } = parseMachines(`\nssh://b\n${text}\n`, rules);
      expect(bad).toEqual([{ line: 3, message: expect.stringContaining(message) as string }]);
    }
  });

  test('differ on speed factors and on ; in comments', () => {
    expect(parseMachines('a - - 1 1.5', 'new').bad).toEqual([]);
    expect(parseMachines('a - - 1 1.5', 'old').bad).toHaveLength(1);
    const stores = (rules: 'old' | 'new') =>
      parseMachines('# one; ssh://two', rules).machines.map(({ store }) => store);
    expect(stores('new')).toEqual([]);
    expect(stores('old')).toEqual(['ssh://two']);
  });

  test.each([
    'ssh://b\n   \n',
    'ssh://b\n\t\n',
    'ssh://b\r\n\r\n',
    'ssh://b\n  # c\n',
    'c\nssh://a; \n',
  ])('differ on blanks: %j', (text) => {
    expect(parseMachines(text, 'new').bad).toEqual([]);
    expect(parseMachines(text, 'old').bad).toMatchObject([{ line: 2, fineSince: '2.29' }]);
  });

  test.each([
    'a - - 1 1 - - YWJj=',
    'a - - 1 1 - - Y=**',
    'a - - 1 1 - - YWJj x y',
    'a\t-\t-\t+1\t01',
  ])('take %j', (text) => {
    for (const rules of ['old', 'new'] as const) expect(parseMachines(text, rules).bad).toEqual([]);
  });

  test('take a file that stands among others on a line', () => {
    const files: Readonly<Record<string, string>> = { '/a': 'ssh://in-a\r\n', '/b': 'ssh://in-b' };
    const text = 'ssh://one ; @/a;ssh://two # ; @/c\r\n@ /b\r\n# @/a\n@/none\n';
    const { machines, bad } = parseMachines(
      withIncluded(text, (path) => files[path]),
      'new',
    );
    expect(machines.map(({ store }) => store)).toEqual([
      'ssh://one',
      'ssh://in-a',
      'ssh://two',
      'ssh://in-b',
    ]);
    expect(bad).toEqual([]);
  });

  test('read a file that names itself, on many lines, once for each name', () => {
    const asked: string[] = [];
    const read = (path: string) => {
      asked.push(path);
      return '@/a\n@/a\n@/b\n@/a\n';
    };
    withIncluded('@/a\n', read);
    expect(asked).toEqual(['/a', '/b']);
  });

  test('take several on a line, comments at the end, and included files apart', () => {
    const { machines, bad } = parseMachines('a;b x # c\n@/other\n\n  # d\n', 'new');
    expect(machines.map(({ store }) => store)).toEqual(['a', 'b']);
    expect(bad).toEqual([]);
  });
});
