/** `doctor --report`: a secret in every input, and none in what is written. */
import {
  appendFileSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { scrubbed } from '../../src/doctor/report/report-scrub.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';

const nothing = { names: [], texts: [] };
const hash = '0123456789abcdfghijklmnpqrsvwxyz';

test.each([
  [
    `building /nix/store/${hash}-my-product-2.drv now`,
    `building /nix/store/${hash}-[left out] now`,
  ],
  [`${hash}-my-product failed`, `${hash}-[left out] failed`],
  ['by http://me:pass@proxy.corp:3128/x, then', 'by [left out] then'],
  ['ssh-ng://me@host.corp', '[left out]'],
  ['ssh-ng://builder@nix-linuxkit', 'ssh-ng://builder@nix-linuxkit'],
  ['see https://nixos.org/download', 'see https://nixos.org/download'],
  // As earlier releases have recorded it.
  [
    `{"sentence":"config.json: is not JSON (Unexpected token 'h', "{"cpus": h"... is not valid JSON)."}\nb`,
    '{"sentence":"config.json: is not JSON [left out]\nb',
  ],
  [
    `config.json: is not valid JSON (Unexpected token 'h', "{\n  "cpus": hush7z\n}" is not valid JSON). Fix it.\nb`,
    'config.json: is not valid JSON [left out]\nb',
  ],
  ['/etc/x is damaged: Unexpected token h.', '/etc/x is damaged [left out]'],
  [
    'config.json: is not valid JSON. Fix the syntax, its file is damaged',
    'config.json: is not valid JSON. Fix the syntax, its file is damaged',
  ],
  ['password = hunter2 and more', 'password = [left out]'],
  ['{"token": "abc"}', '{"token": [left out]'],
  [
    'a\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----\nb',
    'a\n[left out]\nb',
  ],
  ['-----BEGIN PRIVATE KEY-----\\nAAAA"}\nnext: b', '[left out]"}\nnext: b'],
])('by its form: %j', (text, expected) => expect(scrubbed(text, nothing)).toBe(expected));

test('because it is known, the longest first, and names as whole words only', () => {
  const known = {
    names: [
      ['/home/ann', '~'],
      ['ann', '(user)'],
      ['root', '(user)'],
    ] as const,
    texts: ['x=correct-Horse1 y=/etc/nix/machines', 'correct-Horse1-battery'],
  };
  expect(scrubbed('correct-Horse1-battery correct-Horse1 annex ann root /home/ann/x', known)).toBe(
    '[left out] [left out] annex (user) root ~/x',
  );
  expect(scrubbed('/etc/nix/machines', known)).toBe('/etc/nix/machines');
});

test.each([
  [
    'servers 10.1.2.3 192.168.1.77:3128 and fd00:12:34::53, 2001:db8:0:0:0:0:0:1',
    'servers [left out] [left out]:3128 and [left out], [left out]',
  ],
  ['eth0 52:54:00:12:34:56', 'eth0 [left out]'],
  [
    'Linux 6.12.118, QEMU 11.1.0, 127.0.0.1:24083, 10.0.2.2, [::1], at 00:44:29.123, v1.2.3.4-5',
    'Linux 6.12.118, QEMU 11.1.0, 127.0.0.1:24083, 10.0.2.2, [::1], at 00:44:29.123, v1.2.3.4-5',
  ],
])('an address of a network is left out of %j, and nothing else', (text, left) =>
  expect(scrubbed(text, { names: [], texts: [] })).toBe(left),
);

test('of an address that is known the host alone is left out, too', () => {
  const texts = ['substituters = https://me:word@cache.corp.example/x https://cache.nixos.org'];
  const said = 'Could not resolve host: cache.corp.example; cache.nixos.org';
  expect(scrubbed(said, { names: [], texts })).toBe(
    'Could not resolve host: [left out]; cache.nixos.org',
  );
});

// Behaviour 115: `doctor --report` writes everything that a bug report needs into a file that only its owner can read.
// It contains no keys, logins, addresses, values of variables or of Nix's settings, or names of builds.
// Behaviour 193: If a parser's error quotes part of a file that it could not parse, the quotation appears only on the
// terminal of the file's owner, never in a status, log or report.
test('nothing that was planted anywhere is in it', needs('root'), async () => {
  using rig = configureRig();
  const { layout, places, root } = rig;
  expect((await rig.run('-c', '1', '--accelerator', 'tcg')).failure).toBeUndefined();
  let planted = 0;
  const cache = 'cache.corp.example';
  const marks = [cache, '10.99.7.3', 'fd00:99::7'];
  /** Another secret each time, so that the one that gets through is known. */
  const secret = () => {
    const mark = `sEcReT${++planted}zQ7`;
    marks.push(mark);
    return mark;
  };
  const put = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
  };
  const add = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, text);
  };
  // Keys: what is in the files themselves, too.
  const body = readFileSync(layout.clientKey, 'utf8').split('\n')[2] ?? '';
  expect(body.length).toBeGreaterThan(20);
  const settings = JSON.parse(rig.read(layout.config)) as object;
  put(
    layout.config,
    JSON.stringify({
      ...settings,
      snapshots: `https://me:${secret()}@snapshots.example/${secret()}`,
      bundle: `/srv/${secret()}/linux`,
      [secret()]: secret(),
      vm: secret(),
      features: [`${secret()} ${secret()}`],
    }),
  );
  put(join(places.home, '.netrc'), `machine corp.example login me password ${secret()}\n`);
  put(join(places.etcNix, 'netrc'), `machine cache.example password ${secret()}\n`);
  add(
    root.nixConf,
    `access-tokens = github.com=${secret()}\nbuilders = ssh://me@${secret()}.example x86_64-linux /k/${secret()}\n`,
  );
  add(
    join(places.home, '.config/nix/nix.conf'),
    `substituters = https://me:${secret()}@${cache}\nbuilders = @/${secret()}\n`,
  );
  add(root.machines, `ssh://${secret()}@other x86_64-linux - x\n`);
  add(join(places.home, '.ssh/config'), `Host ${secret()}\n  IdentityFile ~/${secret()}\n`);
  const drv = () => `/nix/store/${hash}-${secret()}-1.0.drv`;
  const line = (event: string, words: string) =>
    `${JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00.000Z', event, words })}\n`;
  const proxy = `http://user:${secret()}@${secret()}.example:3128`;
  const variable = secret();
  add(
    layout.log,
    line('built', `building '${drv()}'`) +
      line('proxy', `by ${proxy}`) +
      line('name-servers-told', `10.99.7.3 fd00:99::7`) +
      line('unreached', `Could not resolve host: ${cache}`) +
      line('env', `it has ${variable}`),
  );
  add(
    layout.log,
    line('key', body) + line('mirror', `from https://mirror.example/${secret()}/debian`),
  );
  add(layout.consoleLog, `nix-daemon: building ${drv()}\nauthorization: Bearer ${secret()}\n`);
  add(layout.daemonOutput, `error: builder for '${drv()}' failed\n`);
  add(layout.vmOutput, `-----BEGIN OPENSSH PRIVATE KEY-----\n${secret()}\n`);
  add(layout.networkOutput, `GET ${proxy}\n`);
  put(layout.verdicts, JSON.stringify({ why: `https://${secret()}.example` }));

  const env = {
    PATH: process.env['PATH'],
    LINUXKIT_BUILDER_TREE: rig.tree,
    http_proxy: proxy,
    MY_TOKEN: variable,
    NIX_REMOTE_SYSTEMS: `/${secret()}`,
    NIX_CONFIG: `extra-access-tokens = gitlab.com=${secret()}\nbuilders = ssh://${secret()}`,
  };
  const report = join(rig.tree, 'report.txt');
  const doctor = async () => {
    const argv = ['doctor', '-d', layout.root, '--report', report];
    const { out, err } = await rig.anyWith(env, ...argv);
    expect(err.join('\n')).toContain(`Wrote ${report}. `);
    const text = readFileSync(report, 'utf8');
    expect([...marks, body].filter((mark) => text.includes(mark))).toEqual([]);
    expect(statSync(report).mode & 0o777).toBe(0o600);
    return { said: out.join('\n'), text };
  };
  expect(marks.length).toBeGreaterThan(20);
  symlinkSync(layout.config, report);
  lchownSync(report, 1234, 1234);
  const misled = await rig.anyWith(env, 'doctor', '-d', layout.root, '--report', report);
  expect(misled.failure).toMatchObject({ kind: 'report-misled' });
  rmSync(report);
  const { text } = await doctor();
  // Short words are not known to be secret; a parser repeats them, and cuts longer ones.
  marks.push('hush7z');
  writeFileSync(layout.config, `{"cpus": hush7z, ${secret()}: 2 }`);
  expect((await doctor()).said).toContain('hush7z');
  // With settings that are right it looks further, into what Nix is told. What it says to its user may have secrets.
  writeFileSync(layout.config, JSON.stringify(settings));
  const further = await doctor();
  expect(marks.filter((mark) => further.said.includes(mark)).length).toBeGreaterThan(1);
  expect(further.text).toMatch(/nix settings: .*builders = .*\[left out\]/);
  // And it is of use.
  for (const words of [
    /^== machine\nlinuxkit-builder \S+, Node \d+\./m,
    /^environment variables that are set: .*NIX_CONFIG/m,
    /^BAD +settings: .*config\.json cannot be used/m,
    /^cpus: 1$/m,
    /^snapshots: \(set\)$/m,
    new RegExp(`^nix-daemon: building /nix/store/${hash}-\\[left out\\]$`, 'm'),
    /"event":"proxy"/,
    /^== guest's console$/m,
  ])
    expect(text).toMatch(words);
  expect(text).not.toContain(places.home);
});

test('what a parser repeats of the settings is not among the findings as JSON', async () => {
  using rig = configureRig();
  mkdirSync(rig.layout.root, { recursive: true, mode: 0o700 });
  writeFileSync(rig.layout.config, '{"cpus": hush7z}');
  const argv = ['doctor', '-d', rig.layout.root];
  const env = { LINUXKIT_BUILDER_TREE: rig.tree };
  expect((await rig.anyWith(env, ...argv)).out.join('\n')).toContain('hush7z');
  const [json = ''] = (await rig.anyWith(env, ...argv, '--json')).out;
  expect(json).toContain('config.json');
  expect(json).not.toContain('hush7z');
});

test('cannot be written: says so, and what doctor found is said all the same', async () => {
  using rig = configureRig();
  const folder = join(rig.tree, 'not there');
  const argv = ['doctor', '-d', rig.layout.root, '--report', join(folder, 'report')];
  const { out, failure } = await rig.anyWith({ LINUXKIT_BUILDER_TREE: rig.tree }, ...argv);
  expect(failure).toMatchObject({ kind: 'cannot-write' });
  expect(out.join('\n')).toContain('settings:');
});
