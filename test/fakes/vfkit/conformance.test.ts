/** The rows of vfkit's table that show in its command line alone; those that need a process are in process.test.ts. */
import { mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaints, parse, type Machine } from './command-line.ts';
import { realFiles } from './real-files.ts';
import { rows, type Verdict } from './rows.ts';
import type { Host } from './version.ts';
import { removeTree } from '../../remove-tree.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vf-'));
  const kernel = Buffer.alloc(2048);
  kernel.write('ARMd', 0x38, 'latin1');
  const files: Readonly<Record<string, Buffer | string>> = {
    kernel,
    initrd: '',
    empty: '',
    gz: gzipSync(kernel),
    disk: Buffer.alloc(4096),
    'a disk': Buffer.alloc(512),
    'a=disk': Buffer.alloc(512),
    qcow2: Buffer.from('QFI\u00fb\0\0\0\u0003', 'latin1'),
  };
  for (const [name, data] of Object.entries(files)) writeFileSync(join(dir, name), data);
});
afterAll(() => removeTree(dir));

const real = (argv: readonly string[]) => argv.map((word) => word.replaceAll('@', dir));

/** What vfkit comes to with these words, by its own parsing. */
function outcome(argv: readonly string[], host: Host): readonly [verdict: Verdict, text: string] {
  const parsed = parse(real(argv), host, realFiles);
  if (parsed.kind === 'refused') return [parsed.step, parsed.text];
  if (parsed.kind === 'said') return ['said', parsed.text];
  const unmade = parsed.devices.find((device) => device.kind === 'unmade');
  if (unmade?.kind === 'unmade') return [11, unmade.text];
  return typeof parsed.rest === 'string' ? [13, parsed.rest] : ['ok', describeMachine(parsed)];
}

const describeMachine = ({ cpus, memoryMiB, cmdline, devices }: Machine): string =>
  [
    `cpus=${cpus}`,
    `memory=${memoryMiB}`,
    `cmdline=${cmdline}`,
    ...devices.flatMap((device) =>
      Object.entries(device).map(([key, value]) => `${key}=${String(value)}`),
    ),
  ].join('\n');

describe('the table', () => {
  test('has 96 rows, each once', () =>
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 96 }, (_, n) => n + 1)));

  const cases = rows.flatMap((row) =>
    'cases' in row
      ? row.cases.flatMap(([argv, verdict, text]) =>
          (row.arch === undefined ? (['arm64', 'amd64'] as const) : [row.arch]).map((arch) => ({
            n: row.n,
            words: argv.join(' '),
            argv,
            arch,
            verdict,
            text,
          })),
        )
      : [],
  );
  test.each(cases)('row $n on $arch: $words -> $verdict', ({ argv, arch, verdict, text = '' }) => {
    const [came, said] = outcome(argv, { version: '0.6.4', arch });
    expect(came, said).toBe(verdict);
    expect(said).toContain(text);
  });
});

const boot = ['-b', 'linux,kernel=@/kernel,initrd=@/initrd,cmdline=x'];

describe('versions', () => {
  test.each([
    [['--pidfile', '@/pid'], '0.6.1', 'unknown flag: --pidfile'],
    [['--nested'], '0.6.1', 'unknown flag: --nested'],
    [['--cloud-init', 'a'], '0.6.0', 'unknown flag: --cloud-init'],
    [['-d', 'virtio-balloon'], '0.6.0', 'unknown device type'],
    [['-d', 'virtio-net,type=unixgram,path=P'], '0.6.1', 'unknown option for virtio-net'],
    [['-d', 'virtio-serial,pty'], '0.6.1', 'unknown option for virtio-serial'],
    [['-d', 'virtio-blk,path=@/disk,type=image'], '0.6.1', 'unknown option for virtio-blk'],
  ] as const)('%j is refused by %s, and the next one takes it', (more, version, text) => {
    const [, said] = outcome([...boot, ...more], { version, arch: 'arm64' });
    expect(said).toContain(text);
    const nests = true;
    expect(outcome([...boot, ...more], { version: '0.6.4', arch: 'arm64', nests })[0]).toBe('ok');
  });
  test('a qcow2 is taken for a raw disk up to 0.6.1', () => {
    const argv = [...boot, '-d', 'virtio-blk,path=@/qcow2'];
    expect(outcome(argv, { version: '0.6.1', arch: 'arm64' })[0]).toBe('ok');
  });
});

describe('what a writer of command lines is told', () => {
  const host = { version: '0.6.4', arch: 'arm64' } as const;
  const good = ['-b', 'linux,kernel=/k,initrd=/i,"cmdline=a=1,2 b"'];
  const with_ = (text: string) => complaints([...good, '-d', text], host);
  const directory = (bytes: number) => `/${'d'.repeat(bytes - 1)}`;

  test('nothing, where all is as it should be', () => {
    expect(complaints([...good, '--cpus', '2', '--gui'], host)).toEqual([]);
    expect(with_('virtio-vsock,port=22,socketURL=/s/ssh,connect')).toEqual([]);
    expect(with_(`virtio-net,unixSocketPath=${directory(81)}/net`)).toEqual([]);
  });
  test.each([
    ['virtio-vsock,port=22,socketURL=/a b/ssh,connect', 'would be made as /a%20b/ssh'],
    ['virtio-vsock,port=22,socketURL=/é/ssh,connect', 'would be made as /%C3%A9/ssh'],
    ['virtio-vsock,port=22,socketURL=/a#b,connect', 'would be made as /a'],
    ['virtio-vsock,port=22,socketURL=/a%b,connect', 'invalid URL escape'],
    ['virtio-vsock,port=22,socketURL=a,connect', 'missing address'],
    [`virtio-vsock,port=22,socketURL=${directory(104)},connect`, 'invalid argument'],
    [`virtio-net,unixSocketPath=${directory(82)}/net`, 'is too long'],
    ['virtio-net,unixSocketPath=net', 'relative'],
    ['virtio-serial,stdio', 'terminal'],
    ['rosetta,mountTag=r,ignoreIfMissing', 'unknown option for rosetta share'],
  ])('%s: %s', (text, told) => expect(with_(text).join('\n')).toContain(told));
  test('a word that is ignored, and devices behind it', () => {
    expect(complaints([...good, 'foo'], host)).toEqual(['the word foo is ignored']);
    expect(complaints([...good, '--', '-d', 'x'], host)[0]).toBe('the word -- is ignored');
    expect(complaints([...good, '-n', 'yes'], { ...host, nests: true })).toEqual([
      'the word yes is ignored',
    ]);
  });
});

test('a pidfile is written by a command line that is refused behind it, with the digits alone', () => {
  mkdirSync(join(dir, 'p'));
  const [verdict] = outcome([...boot, '--pidfile', '@/p/pid', '-d', 'bogus'], {
    version: '0.6.4',
    arch: 'arm64',
  });
  expect(verdict).toBe(8);
  expect(statSync(join(dir, 'p/pid')).mode & 0o777).toBe(0o600);
});
