import { describe, expect, test } from 'vitest';
import { parse } from './command-line.ts';

const kexec = ['-f', 'kexec,/k,/i,quiet'];
const uuid = 'c3d68012-0208-11ea-9fd7-f2189899ab08';
const d = (bytes: number) => `/${'d'.repeat(bytes - 1)}`;

/** 'runs', an exit code, or a signal; and the fact that it rests on (hyperkit's own files, by line). */
type Row = readonly [argv: readonly string[], verdict: number | string, because: string];

const words: readonly Row[] = [
  [[], 1, 'no firmware: usage (hyperkit.c L954)'],
  [['-A', '-u'], 1, 'no firmware: usage (L954)'],
  [kexec, 'runs', 'one CPU and 256 MB are the defaults'],
  [['-h'], 0, 'usage, exit 0'],
  [['-M'], 1, 'the MAC of vmnet, which needs root or an entitlement'],
  [['-v'], 0, 'version, exit 0 (L167)'],
  [['-Z', ...kexec], 1, 'unknown option: usage'],
  [['-p', '0:1', ...kexec], 1, '-p is in the usage line and not in getopt (L872)'],
  [['-Y', ...kexec], 1, '-Y eats -f (L872), so there is no firmware'],
  [['-Y', 'word', ...kexec], 'runs', '-Y has an argument (L872)'],
  [['-AuH', ...kexec], 'runs', 'flags may stand together'],
  [['-c4', ...kexec], 'runs', 'an argument may stand in the same word'],
  [['-c'], 1, 'a missing argument: usage'],
  [[...kexec, '-m'], 1, 'a missing argument: usage'],
  [['-c', '0', ...kexec], 1, 'fewer than one CPU (L979)'],
  [['-c', '-1', ...kexec], 1, 'fewer than one CPU (L979)'],
  [['-c', 'two', ...kexec], 1, 'atoi of a word is 0 (L979)'],
  [['-c', '2x', ...kexec], 'runs', 'atoi stops at the first letter'],
  [['-c', '64', ...kexec], 'runs', 'VM_MAXCPU'],
  [['-c', '65', ...kexec], 1, 'more than there are (L984)'],
  [['-m', '1024', ...kexec], 'runs', 'a bare number below 1 MiB is of MiB (L710)'],
  [['-m', '1073741824', ...kexec], 'runs', 'a large bare number is of bytes (L710)'],
  [['-m', '4096M', ...kexec], 'runs', 'expand_number (L653)'],
  [['-m', '4g', ...kexec], 'runs', 'expand_number takes small letters'],
  [['-m', '4GB', ...kexec], 'runs', 'expand_number stops at the letter: 4 GiB'],
  [['-m', '0x400', ...kexec], 'runs', 'strtoul of base 0'],
  [['-m', '4Q', ...kexec], 64, 'not a suffix: errx EX_USAGE (L910)'],
  [['-m', 'any', ...kexec], 64, 'not a suffix: errx EX_USAGE (L910)'],
  [['-m', 'much', ...kexec], 1, 'no number, and the suffix m: 0 MiB cannot be set up'],
  [['-m', '-1', ...kexec], 1, 'strtoul takes it for 2^64 - 1, which cannot be set up'],
  [['-m', '', ...kexec], 1, 'no number and no suffix: 0 cannot be set up'],
  [['-m', '0', ...kexec], 1, '0 cannot be set up'],
];

const firmware: readonly Row[] = [
  [['-f', 'kexec,/k'], 'runs', 'initrd and command line may be left out'],
  [['-f', 'kexec,/k,,quiet'], 'runs', 'an empty field is NULL (L733)'],
  [['-f', 'kexec,/k,/i,a,b,c'], 'runs', 'behind the third comma all is command line'],
  [['-f', 'kexecute,/k'], 'runs', 'the first word is compared as a prefix'],
  [['-f', 'kexec'], 1, 'no kernel: Invalid firmware argument (L887)'],
  [['-f', 'kexec,'], 1, 'an empty kernel: Invalid firmware argument (L887)'],
  [['-f', 'linux,/k'], 1, 'unknown firmware: Invalid firmware argument (L887)'],
  [['-f', ''], 1, 'empty: Invalid firmware argument (L887)'],
  [['-f', 'bootrom,/rom'], 'runs', 'firmware_parse knows it'],
  [['-f', 'fbsd,/u,/v'], 'runs', 'firmware_parse knows it'],
];

const slots: readonly Row[] = [
  [['-s', '0:0,hostbridge'], 'runs', 'pci_parse_slot (pci_emul.c L137)'],
  [['-s', '0:0:0,hostbridge'], 'runs', 'bus:slot:func'],
  [['-s', '31,lpc'], 'runs', 'slot alone'],
  [['-s', '32,lpc'], 1, 'slots end at 31: Invalid PCI slot info field'],
  [['-s', '1:8,dummy'], 1, 'functions end at 7: Invalid PCI slot info field'],
  [['-s', 'x,dummy'], 1, 'no number: Invalid PCI slot info field'],
  [['-s', '1'], 1, 'no driver: Invalid PCI slot info field'],
  [['-s', '1,'], 1, 'an empty driver: Invalid PCI slot info field'],
  [['-s', '1,virtio-gpu'], 1, 'unknown device'],
  [['-s', '1,dummy', '-s', '1:0,dummy'], 1, 'pci slot already occupied!'],
  [['-s', '1:0,dummy', '-s', '1:1,dummy'], 'runs', 'another function of the slot is free'],
  [['-s', '0:1:0,dummy', '-s', '1:1:0,dummy'], 1, 'the same slot on two buses'],
  [['-s', '0:1:0,dummy', '-s', '1:0,dummy'], 1, 'bus 0 is meant where none is named'],
  [['-s', '31,lpc', '-s', '30,lpc'], 1, 'only one lpc (pci_lpc.c L357)'],
  [['-s', '1:31:0,lpc'], 1, 'lpc on bus 0 only (pci_lpc.c L390)'],
  [['-s', '1,virtio-net'], 1, 'vmnet needs root or an entitlement'],
  [['-s', '1,virtio-tap,tap1'], 'runs', 'a driver that it knows'],
  [['-s', '4,virtio-rnd'], 'runs', 'no options'],
  [['-l', 'com1,null'], 'runs', 'uart backends'],
  [['-l', 'com9,null'], 64, 'no such port: errx EX_USAGE (hyperkit.c L899)'],
  [['-l', 'com1'], 'runs', 'a port without a backend'],
  [['-l', 'tty,null'], 64, 'no such device: errx EX_USAGE (L899)'],
];

const network: readonly Row[] = [
  [['-s', '1,virtio-vpnkit'], 'runs', 'every key has a default'],
  [['-s', `1,virtio-vpnkit,path=/s,uuid=${uuid}`], 'runs', 'uuid of 36 characters'],
  [['-s', `1,virtio-vpnkit,path=/s,uuid=${uuid}00`], 'runs', 'the first 36 are used'],
  [['-s', `1,virtio-vpnkit,uuid=${uuid.slice(1)}`], 'SIGSEGV', 'a short uuid returns 1, not -1'],
  [['-s', '1,virtio-vpnkit,preferred_ipv4=192.168.65.3'], 'runs', 'the key is preferred_ipv4'],
  [['-s', '1,virtio-vpnkit,preferred_ip=192.168.65.3'], 'SIGSEGV', 'an unknown key returns 1'],
  [['-s', '1,virtio-vpnkit,preferred_ipv4=192.168.65'], 'runs', 'inet_aton: 192.168.0.65'],
  [['-s', '1,virtio-vpnkit,preferred_ipv4=one'], 'SIGSEGV', 'a bad address returns 1'],
  [['-s', '1,virtio-vpnkit,preferred_ipv4=192.168.65.300'], 'SIGSEGV', 'a bad address returns 1'],
  [['-s', '1,virtio-vpnkit,/s'], 'SIGSEGV', 'a word without a key returns 1'],
  [['-s', `1,virtio-vpnkit,path=/a,b,uuid=${uuid}`], 'SIGSEGV', 'a comma ends the path'],
  [['-s', `1,virtio-vpnkit,path=${d(104)}`], 'runs', 'cut off without a word (L482)'],
];

const others: readonly Row[] = [
  [
    ['-s', `3,virtio-sock,guest_cid=3,path=${d(85)}`],
    'runs',
    'at the limit (pci_virtio_sock.c L2353)',
  ],
  [['-s', `3,virtio-sock,guest_cid=3,path=${d(86)}`], 1, 'path too long (L2353)'],
  [['-s', '3,virtio-sock,guest_cid=2,path=/d'], 1, 'CIDs begin at 3'],
  [['-s', '3,virtio-sock,guest_cid=x,path=/d'], 1, 'no number'],
  [['-s', '3,virtio-sock,path=/d'], 1, 'guest_cid is needed'],
  [['-s', '3,virtio-sock,guest_cid=3'], 1, 'path is needed'],
  [['-s', '3,virtio-sock,guest_cid=3,path=/d,guest_forwards=22;1024'], 'runs', 'semicolons'],
  [['-s', '3,virtio-sock,guest_cid=3,path=/d,guest_forwards=0x16'], 'runs', 'strtoul, base 0'],
  [['-s', '3,virtio-sock,guest_cid=3,path=/d,guest_forwards=1;2;3;4;5'], 1, 'Too many forwards'],
  [['-s', '3,virtio-sock,guest_cid=3,path=/d,forward=1'], 1, 'an unknown key'],
  [['-s', '2,virtio-blk,/disk'], 'runs', 'a path'],
  [['-s', '2,virtio-blk,/disk,ro,sectorsize=512/4096'], 'runs', 'options (block_if.c L606)'],
  [['-s', '2,virtio-blk,/disk,nocache'], 1, 'known and not implemented'],
  [['-s', '2,virtio-blk,/disk,size=80G'], 1, 'there is no size option'],
  [['-s', '2,virtio-blk,/disk,format=qcow'], 1, 'without the OCaml build: Invalid device option'],
  [['-s', '2,virtio-blk,/a,b'], 1, 'a comma ends the path'],
  [['-s', '2,virtio-blk'], 1, 'no path'],
  [['-s', '4,ahci-cd,/iso,ro'], 'runs', 'the same opener'],
  [['-s', '6,virtio-9p,path=/s,tag=port'], 'runs', 'one of path= and port='],
  [['-s', '6,virtio-9p,tag=port'], 1, 'neither path= nor port= (L474)'],
  [['-s', '6,virtio-9p,path=/s,port=9'], 1, 'both path= and port= (L474)'],
];

function verdict(argv: readonly string[]): number | string {
  const parsed = parse(argv);
  const refused =
    parsed.kind === 'refused' ? parsed : parsed.devices.find(({ kind }) => kind === 'refused');
  if (refused?.kind !== 'refused') return 'runs';
  return 'code' in refused.end ? refused.end.code : refused.end.signal;
}

describe.each([
  ['words', words],
  ['firmware', firmware],
  ['slots', slots.map(([argv, ...rest]) => [[...argv, ...kexec], ...rest] as const)],
  ['the network card', network.map(([argv, ...rest]) => [[...argv, ...kexec], ...rest] as const)],
  ['other devices', others.map(([argv, ...rest]) => [[...argv, ...kexec], ...rest] as const)],
] as readonly (readonly [string, readonly Row[]])[])('%s', (_, rows) => {
  test.each(rows.map((row) => [row[0].join(' '), row] as const))('%s', (_words, row) =>
    expect(verdict(row[0]), row[2]).toBe(row[1]),
  );
});

test('devices are made in the order of their slots', () => {
  const argv = ['-s', '31,lpc', '-s', '2,virtio-blk,/disk', '-s', '1,virtio-vpnkit', ...kexec];
  const parsed = parse(argv);
  expect(parsed.kind === 'machine' && parsed.devices.map(({ kind }) => kind)).toEqual([
    'vpnkit',
    'disk',
    'lpc',
  ]);
});
test('a long socket path is cut to what fits', () => {
  const parsed = parse(['-s', `1,virtio-vpnkit,path=${d(110)}`, ...kexec]);
  expect(parsed.kind === 'machine' && parsed.devices[0]).toMatchObject({ path: d(103) });
});
test('memory is what is left of the letter', () => {
  for (const [words, memoryMiB] of [
    ['4GB', 4096],
    ['4g', 4096],
    ['2048', 2048],
    ['2048M', 2048],
    ['1073741824', 1024],
  ] as const)
    expect(parse(['-m', words, ...kexec])).toMatchObject({ memoryMiB });
});
test('an address of fewer parts is filled up', () => {
  const parsed = parse(['-s', '1,virtio-vpnkit,preferred_ipv4=192.168.65', ...kexec]);
  expect(parsed.kind === 'machine' && parsed.devices[0]).toMatchObject({
    preferredIpv4: '192.168.0.65',
  });
});
test('a path may have =', () => {
  const argv = ['-s', '1,virtio-vpnkit,path=/a=b/s', '-s', '3,virtio-sock,guest_cid=3,path=/a=b/c'];
  const parsed = parse([...argv, ...kexec]);
  expect(parsed.kind === 'machine' && parsed.devices).toMatchObject([
    { path: '/a=b/s' },
    { directory: '/a=b/c' },
  ]);
});
test('a command line may have commas', () => {
  expect(parse(['-f', 'kexec,/k,/i,a=b,c,d'])).toMatchObject({ cmdline: 'a=b,c,d' });
});
test('no command line is `auto`', () => {
  expect(parse(['-f', 'kexec,/k,/i'])).toMatchObject({ cmdline: 'auto' });
});
