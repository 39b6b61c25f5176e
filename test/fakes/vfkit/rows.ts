/**
 * What vfkit does with which words: the table of facts, as data. test/fakes/vfkit/conformance.test.ts plays it, and nothing of it was
 * taken from our driver. Its sources are vfkit's own (crc-org/vfkit, v0.6.4 and 12 commits) and reports of its users.
 */

/** How a fact is known: measured on vfkit's own parser, read in its source, reported by a user, or inferred. */
export type Mark = 'measured' | 'read' | 'reported' | 'inferred';

/** `ok`: taken as far as the table goes. `said`: exit 0. A number: refused at that step of vfkit's order of work. */
export type Verdict = 'ok' | 'said' | number;

/** Words, what becomes of them, and a part of the text. */
export type Case = readonly [argv: readonly string[], verdict: Verdict, text?: string];

export type Row =
  | {
      readonly n: number;
      readonly marks: readonly Mark[];
      readonly cases: readonly Case[];
      /** For one kind of Mac only. */
      readonly arch?: 'arm64' | 'amd64';
    }
  /** What shows only in a process: the test has a play of that name for it. */
  | { readonly n: number; readonly marks: readonly Mark[]; readonly play: string };

/** Stand for files that the test makes: kernel, initrd, disk, directory; an empty file, a qcow2, a compressed kernel. */
export const K = '@/kernel';
export const I = '@/initrd';
export const D = '@/disk';

const boot = (text: string) => ['-b', text];
const B = boot(`linux,kernel=${K},initrd=${I},cmdline=x`);
const device = (...texts: readonly string[]) => [...B, ...texts.flatMap((text) => ['-d', text])];
const row = (n: number, mark: Mark | readonly Mark[], ...cases: readonly Case[]): Row => ({
  n,
  marks: typeof mark === 'string' ? [mark] : mark,
  cases,
});
const play = (n: number, mark: Mark | readonly Mark[], name: string): Row => ({
  n,
  marks: typeof mark === 'string' ? [mark] : mark,
  play: name,
});
const onArm = (each: Row): Row => ({ ...each, arch: 'arm64' });
const onIntel = (each: Row): Row => ({ ...each, arch: 'amd64' });
const rest = (uri: string) => [...B, '--restful-uri', uri];
const tooLong = `/${'d'.repeat(103)}`;

const flags: readonly Row[] = [
  row(1, 'measured', [[], 4, 'empty option list in --bootloader']),
  row(2, 'measured', [['-h'], 'said', 'Usage:'], [['--help'], 'said', 'Usage:']),
  row(3, 'measured', [['-v'], 'said', 'vfkit version: '], [['--version'], 'said', 'vfkit version']),
  row(
    4,
    'measured',
    ...[['version'], ['foo', 'bar'], ['help']].map((words): Case => [
      words,
      4,
      'empty option list',
    ]),
  ),
  row(5, 'measured', [['completion', 'bash'], 'said', 'bash']),
  row(6, 'measured', [[...B, 'foo'], 'ok']),
  row(7, 'measured', [['--bogus'], 2, 'unknown flag'], [['--dev', 'x'], 2, 'unknown flag']),
  row(8, 'measured', [['-z'], 2, 'unknown shorthand flag']),
  row(9, 'measured', [[...B, '--cpus'], 2, 'flag needs an argument']),
  row(
    10,
    'measured',
    ...['-1', '2.5', ''].map((text): Case => [[...B, '-c', text], 2, 'invalid syntax']),
  ),
  row(11, 'measured', [[...B, '-c', '08'], 2, 'invalid syntax']),
  row(
    12,
    'measured',
    [[...B, '-c', '0x4'], 'ok', 'cpus=4'],
    [[...B, '-c', '010'], 'ok', 'cpus=8'],
    [[...B, '-c4'], 'ok', 'cpus=4'],
    [[...B, '-c=4'], 'ok', 'cpus=4'],
    [[...B, '-c', '0b11'], 'ok', 'cpus=3'],
    [[...B, '-m', '1_000'], 'ok', 'memory=1000'],
  ),
  row(13, 'measured', [[...B, '-c', '4', '-c', '8'], 'ok', 'cpus=8']),
  row(14, 'measured', [[...B, '-cpus', '4'], 2, 'invalid argument "pus"']),
  row(
    15,
    'measured',
    [[...B, '-m', '1G'], 2, 'ParseUint'],
    [[...B, '-m', '1024M'], 2, 'ParseUint'],
  ),
  row(16, 'measured', [[...B, '-m', '99999999999999999999'], 2, 'value out of range']),
  play(17, ['measured', 'inferred'], 'odd sizes'),
];

const bootloaders: readonly Row[] = [
  row(
    18,
    'measured',
    ...['bogus', ',linux', ' linux'].map((text): Case => [
      boot(text),
      4,
      'unknown bootloader type',
    ]),
  ),
  row(19, 'measured', [boot(''), 4, 'empty option list']),
  row(
    20,
    'measured',
    [boot(`linux,Kernel=${K}`), 4, 'unknown option for Linux bootloaders'],
    [boot(`linux,kernel=${K}, initrd=${I}`), 4, 'unknown option for Linux bootloaders'],
  ),
  row(21, 'measured', [
    boot(`linux,kernel=${K},initrd=${I},cmdline=a b=1,2`),
    4,
    'unknown option for Linux bootloaders: 2',
  ]),
  row(
    22,
    'measured',
    [boot(`linux,kernel=${K},initrd=${I},"cmdline=a b=1,2"`), 'ok', 'cmdline=a b=1,2'],
    [boot(`linux,kernel=${K},initrd=${I},cmdline="a b=1,2"`), 'ok', 'cmdline=a b=1,2'],
  ),
  row(23, 'measured', [boot(`linux,kernel=${K},cmdline="a`), 2, 'mismatched "']),
  onArm(row(24, 'measured', [boot(`linux,kernel="/a,b/K",initrd=${I}`), 10, '"/a,b/K"'])),
  row(25, 'measured', [['-b', 'linux', '-b', `kernel=${K}`, '-b', `initrd=${I}`], 'ok']),
  row(26, 'measured', [
    ['-b', `linux,kernel=${K}`, '-b', `linux,initrd=${I}`],
    4,
    'unknown option for Linux bootloaders: linux',
  ]),
  onArm(row(27, 'read', [boot('linux'), 10, 'open : no such file'])),
  onArm(
    row(28, 'read', [boot(`linux,kernel=@/gz,initrd=${I}`), 10, 'kernel must be uncompressed']),
  ),
  onArm(row(29, 'read', [boot(`linux,kernel=@/empty,initrd=${I}`), 10, 'EOF'])),
  row(30, 'read', [boot(`linux,kernel=${K}`), 10, 'invalid initial RAM disk path']),
  row(31, 'measured', [['-k', K, '-i', I], 2, 'must all be set; missing']),
  row(32, 'measured', [
    ['-k', K, '-i', I, '-C', 'x', '-b', 'linux'],
    2,
    'none of the others can be',
  ]),
  row(33, 'measured', [['-k', K, '-i', I, '-C', ''], 'ok']),
  row(34, 'measured', [boot('efi,create=yes'), 4, 'unexpected value for EFI bootloader']),
];

const disks: readonly Row[] = [
  row(
    35,
    'measured',
    [device(''), 8, 'unknown device type'],
    [device(`Virtio-Blk,path=${D}`), 8, 'unknown device type'],
  ),
  row(
    36,
    'measured',
    [device('virtio-blk'), 8, 'failed to open file'],
    [device('virtio-blk,path='), 8, 'failed to open file'],
  ),
  row(
    37,
    'measured',
    [device('virtio-blk,path=@/none'), 8, 'failed to open file'],
    [device('virtio-blk,path=@/empty'), 8, 'EOF'],
    [device('virtio-blk,path=@'), 8, 'is a directory'],
  ),
  row(38, 'measured', [device('virtio-blk,path=@/qcow2'), 8, 'does not support qcow2']),
  row(39, 'measured', [device(`virtio-blk,path="${D}"`), 8, 'failed to open file "']),
  row(
    40,
    'measured',
    [device('virtio-blk,path=@/a disk'), 'ok'],
    [device('virtio-blk,path=@/a=disk'), 'ok'],
  ),
  row(
    41,
    'measured',
    [device(`virtio-blk,path=${D},readonly=true`), 8, 'unexpected value'],
    ...['readOnly', 'format=raw', 'cache=none'].map((option): Case => [
      device(`virtio-blk,path=${D},${option}`),
      8,
      'unknown option for virtio-blk',
    ]),
  ),
  row(42, 'measured', [
    device(`virtio-blk,path=${D},type=raw`),
    8,
    "unexpected value for disk 'type'",
  ]),
  play(43, 'read', 'a file as a block device'),
  play(44, 'inferred', 'a disk that another has locked'),
];

const cards: readonly Row[] = [
  row(
    45,
    'measured',
    ...['virtio-net', 'virtio-net,mac=5a:94:ef:e4:0c:ee'].map((text): Case => [
      device(text),
      8,
      "one of 'nat' or 'fd' or 'unixSocketPath'",
    ]),
  ),
  row(46, 'measured', [device('virtio-net,nat=on'), 8, "unexpected value for virtio-net 'nat'"]),
  row(
    47,
    'measured',
    ...['nat,unixSocketPath=P', 'nat,fd=3', 'fd=3,unixSocketPath=P'].map((text): Case => [
      device(`virtio-net,${text}`),
      8,
      'cannot be set at the same time',
    ]),
  ),
  row(
    48,
    'measured',
    ...['zz', ''].map((text): Case => [
      device(`virtio-net,nat,mac=${text}`),
      8,
      'invalid MAC address',
    ]),
  ),
  row(
    49,
    'measured',
    [device('virtio-net,nat,mac=5a94.efe4.0cee'), 'ok', 'mac=5a:94:ef:e4:0c:ee'],
    [device('virtio-net,nat,mac=5A-94-EF-E4-0C-EE'), 'ok', 'mac=5a:94:ef:e4:0c:ee'],
  ),
  row(50, 'measured', [device('virtio-net,unixSocketPath='), 8, "one of 'nat'"]),
  row(51, 'measured', [device('virtio-net,path=P'), 8, "'path' option requires 'type'"]),
  row(52, 'measured', [device('virtio-net,type=unixgram'), 8, "'type' option requires 'path'"]),
  row(
    53,
    'measured',
    [device('virtio-net,type=unixgram,path=P,offloading=on'), 8, "only 'off' is supported"],
    [device('virtio-net,type=x'), 8, 'unsupported virtio-net type'],
  ),
  row(54, 'measured', [
    device('virtio-net,unixSocketPath=P,vfkitMagic=yes'),
    8,
    'invalid value for vfkitMagic',
  ]),
  row(55, 'measured', [device('virtio-net,unixSocketPath=P,vfkitMagic=off'), 'ok', 'magic=false']),
  play(56, 'read', 'no peer'),
  play(57, 'inferred', 'a dead peer'),
  play(58, 'read', 'a long directory'),
  row(
    59,
    'measured',
    [device('virtio-net,fd=x'), 8, 'invalid syntax'],
    [device('virtio-net,fd=-1'), 8, 'invalid file descriptor'],
  ),
  row(60, 'measured', [device('virtio-net,nat,mtu=9000'), 8, 'unknown option for virtio-net']),
];

const others: readonly Row[] = [
  row(
    61,
    'measured',
    ...['virtio-serial', 'virtio-serial,logFilePath='].map((text): Case => [
      device(text),
      8,
      "one of 'logFilePath', 'stdio' or 'pty'",
    ]),
  ),
  row(
    62,
    'measured',
    ...['logFilePath=A,stdio', 'stdio,pty'].map((text): Case => [
      device(`virtio-serial,${text}`),
      8,
      'at the same time',
    ]),
  ),
  row(
    63,
    'measured',
    [device('virtio-serial,stdio=1'), 8, 'unexpected value'],
    [device('virtio-serial,path=A'), 8, 'unknown option for virtio-serial'],
  ),
  row(64, 'measured', [device('virtio-serial,pty=x'), 'ok']),
  play(65, 'read', 'a terminal that is none'),
  play(66, 'read', 'a log of an earlier run'),
  row(
    67,
    'measured',
    ...['x', '0x16', '4294967296'].map((port): Case => [
      device(`virtio-vsock,port=${port}`),
      8,
      'ParseUint',
    ]),
  ),
  row(68, 'measured', [
    device('virtio-vsock,port=22,socketUrl=A'),
    8,
    'unknown option for virtio-vsock',
  ]),
  row(
    69,
    'measured',
    ...['virtio-vsock', 'virtio-vsock,port=22'].map((text): Case => [
      device(text),
      'ok',
      'direction=listen',
    ]),
  ),
  row(
    70,
    'measured',
    ...['listen,connect', 'connect=no'].map((text): Case => [
      device(`virtio-vsock,port=22,socketURL=/A,${text}`),
      'ok',
      'direction=connect',
    ]),
  ),
  play(71, ['measured', 'read'], 'sockets that cannot be made'),
  row(
    72,
    'measured',
    ...['virtio-rng,x', 'virtio-balloon,size=1'].map((text): Case => [
      device(text),
      8,
      'unknown options for',
    ]),
  ),
  row(73, 'measured', [device('virtio-rng,'), 'ok']),
  row(74, 'read', [device('virtio-fs'), 11, "missing mandatory 'sharedDir'"]),
  row(75, 'measured', [
    device('virtio-fs,sharedDir=@,readonly'),
    8,
    'unknown option for virtio-fs',
  ]),
  row(76, 'measured', [
    device('rosetta,mountTag=r,ignoreIfMissing'),
    8,
    'unknown option for rosetta share',
  ]),
  onArm(row(77, 'read', [device('rosetta'), 11, 'missing mandatory'])),
  onIntel(row(78, 'read', [device('rosetta,mountTag=r'), 11, 'unsupported on non-arm64'])),
];

const rests: readonly Row[] = [
  row(
    79,
    'measured',
    [[...B, '-t', 'foo'], 6, 'unknown option for timesync'],
    [[...B, '-t', 'vsockPort=0'], 6, "missing 'vsockPort'"],
    [[...B, '-t', 'vsockPort=x'], 6, 'ParseUint'],
  ),
  row(
    80,
    'measured',
    ...['warn', 'DEBUG'].map((level): Case => [
      [...B, '--log-level', level],
      3,
      'unknown log level',
    ]),
  ),
  row(81, 'measured', [[...B, '--pidfile', '@/no/p'], 7, 'could not write PID']),
  play(82, 'measured', 'a pidfile beside a bad device'),
  row(83, 'measured', [[...B, '--nested=maybe'], 2, 'ParseBool']),
  play(84, 'read', 'nested where it cannot be'),
  row(85, 'measured', [[...B, '--ignition', 'a,b'], 9, 'only accepts one option']),
  row(86, 'measured', [[...B, '--', '-d', 'bogus'], 'ok']),
  row(
    87,
    'measured',
    [rest(''), 13, 'empty url'],
    [rest('none'), 13, 'invalid URI'],
    [rest('unix:///a%.s'), 13, 'invalid URL escape'],
  ),
  row(
    88,
    'read',
    [rest('unix://tmp/a'), 13, 'host is forbidden'],
    [rest('unix:a'), 13, 'missing path'],
    [rest(`unix://${tooLong}`), 13, 'exceeds macOS limits'],
  ),
  row(
    89,
    'read',
    [rest('tcp://h'), 13, 'missing port'],
    [rest('tcp://h:1/'), 13, 'path is forbidden'],
    [rest('vsock://x'), 13, 'invalid scheme'],
  ),
  play(90, 'read', 'a server of nothing'),
  play(91, 'measured', 'an escaped path'),
  play(92, 'read', 'a socket that is there already'),
  play(93, 'reported', 'unsigned'),
  play(94, 'read', 'SIGTERM'),
  play(95, 'reported', 'HardStop'),
  play(96, 'inferred', 'a reboot'),
];

export const rows: readonly Row[] = [
  ...flags,
  ...bootloaders,
  ...disks,
  ...cards,
  ...others,
  ...rests,
];
