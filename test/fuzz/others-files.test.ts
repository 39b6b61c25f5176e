/** Files and answers of Nix, ssh and the system's own programs. */
import fc from './fast-check.ts';
import { describe, expect } from 'vitest';
import { readOpensshKey } from '../../src/guest/identity/openssh-key.ts';
import { parseList, parsePrint } from '../../src/service/launchd/launchctl.ts';
import { machinesLine, parseMachines, type Rules } from '../../src/nix/machines.ts';
import { blockLines, withBlock, withoutBlock } from '../../src/host/managed-block.ts';
import { cut, leftoversIn, withLine, blockOf } from '../../src/host/root/root-lines.ts';
import { parseConfig, parseDerivation } from '../../src/nix/answers.ts';
import { externalSystems, hides, settingOf } from '../../src/nix/conf.ts';
import { parseShow } from '../../src/service/systemd/systemd-service.ts';
import { anyBytes, garbled, holds } from './property.ts';

const hostPublicKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x';
const ours = machinesLine({ system: 'x86_64-linux', maxJobs: 4, features: ['kvm'], hostPublicKey });
const theirs = [
  'ssh://mac x86_64-darwin /key 4 1.5 kvm,big-parallel - c3No',
  '# a comment; with a semicolon\nssh-ng://builder@nix-linuxkit x86_64-linux\n\n@/etc/more',
  `${ours}\nunfinished`,
  'ssh://a;ssh://b x - 2\r\nssh://c\r\n',
];
const someFile = fc.oneof(
  anyBytes(),
  garbled(theirs, [';', '#', '@', ' ', '\r\n', 'nix-linuxkit']),
);
const line = fc.stringMatching(/^[^\r\n]{0,40}$/);

describe('our block in a file of others', () => {
  const position = fc.constantFrom('first' as const, 'last' as const);
  holds(
    'comes and goes without a trace',
    3000,
    fc.property(someFile, fc.array(line, { maxLength: 3 }), position, (file, lines, where) => {
      fc.pre(!file.includes('linuxkit-builder') && lines.every((each) => !each.includes('<<<')));
      const put = withBlock(file, lines, where);
      expect(blockLines(put)).toEqual(lines);
      expect(withoutBlock(put).equals(file)).toBe(true);
      expect(withBlock(put, lines, where).equals(put)).toBe(true);
      const other = withBlock(put, ['another', ...lines], where);
      expect(withoutBlock(other).equals(file)).toBe(true);
    }),
  );
  const marked = withBlock(Buffer.from('a\nb'), ['x'], 'last');
  const twice = Buffer.concat([withBlock(Buffer.from('a\n'), ['x'], 'first'), marked]);
  holds(
    'that somebody damaged is mended, and nothing is there twice',
    1000,
    fc.property(
      garbled([marked, twice]),
      fc.array(line, { maxLength: 3 }),
      position,
      (file, lines, where) => {
        fc.pre(lines.every((each) => !each.includes('<<<') && !each.includes('>>>')));
        const put = withBlock(file, lines, where);
        expect(withBlock(put, lines, where).equals(put)).toBe(true);
        expect(blockLines(withoutBlock(put))).toBeUndefined();
      },
    ),
  );
});

describe('/etc/nix/machines', () => {
  const rules = fc.constantFrom<Rules>('old', 'new');
  holds(
    'is read without a crash, each entry once',
    2000,
    fc.property(someFile, rules, (file, by) => {
      const text = file.toString('latin1');
      const { machines, bad } = parseMachines(text, by);
      const lines = text.split('\n').length;
      for (const { line, message } of bad) {
        expect(message).not.toBe('');
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(lines);
      }
      for (const { store, maxJobs } of machines) {
        // What separates words for Nix; \S would leave out more.
        expect(store).toMatch(/[^ \t\r\n]/);
        expect(Number.isSafeInteger(maxJobs) && maxJobs >= 0).toBe(true);
      }
    }),
  );
  holds(
    'gets our line, which is found there, and keeps the lines of others',
    1500,
    fc.property(someFile, (file) => {
      fc.pre(!file.includes('>>>') && !file.includes('<<<'));
      const wanted = { line: '@/our/list', position: 'last' } as const;
      const text = file.toString('latin1');
      const put = withLine(text, wanted);
      expect(blockLines(Buffer.from(put, 'latin1'))).toEqual([wanted.line]);
      expect(withLine(put, wanted)).toBe(put);
      const stray = leftoversIn(text);
      const kept = text.split(/(?<=\n)/).filter((_, n) => !stray.some((s) => s.line === n));
      expect(cut(put, { lines: blockOf(wanted) })).toBe(kept.join(''));
      expect(leftoversIn(put)).toEqual([]);
    }),
  );
});

describe('what other programs say', () => {
  const conf = 'builders = @/etc/nix/machines\n# x\nextra-a = b\ninclude more.conf\n!include no';
  holds(
    'nix.conf, also one that includes itself',
    500,
    fc.property(garbled([conf], ['include ', '!include ', '=']), (bytes) => {
      const text = bytes.toString('latin1');
      const setting = settingOf('builders', '/etc/nix/nix.conf', (path) =>
        /^.etc.nix.(nix|more).conf$/.test(path) ? text : undefined,
      );
      hides(setting?.value, '/etc/nix/machines');
      externalSystems(text);
    }),
  );
  const shown = JSON.stringify({ system: { value: 'x' }, 'max-jobs': { value: 4 } });
  const drv = JSON.stringify({ '/nix/store/x.drv': { system: 's', env: {}, outputs: {} } });
  const json = fc.oneof(
    garbled([shown, drv], ['{"value":null}']).map(String),
    fc.json(),
    fc.string(),
  );
  holds(
    'nix’s JSON, launchctl’s and systemctl’s words',
    1000,
    fc.property(
      json,
      garbled(['pid = 12\nstate = running', '12\t0\tname', 'MainPID=1\n']),
      (text, words) => {
        parseConfig(text);
        parseDerivation(text);
        for (const read of [parsePrint, parseList, parseShow]) {
          read(text);
          read(words.toString('latin1'));
        }
      },
    ),
  );
  const pem = (body: Buffer) =>
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
  const head = Buffer.from(
    'openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01',
    'latin1',
  );
  holds(
    'an ssh key is read, or what is wrong with it is said',
    1000,
    fc.property(
      fc.oneof(
        garbled([head]).map(pem),
        anyBytes(200).map((rest) => pem(Buffer.concat([head, rest]))),
        garbled([pem(head)]).map((bytes) => bytes.toString('latin1')),
      ),
      (text) => {
        const key = readOpensshKey(text);
        if ('wrong' in key) expect(key.wrong).toMatch(/\S/);
        else expect(key.public).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+/);
      },
    ),
  );
});
