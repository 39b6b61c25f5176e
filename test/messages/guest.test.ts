import {
  agentAway,
  agentNoTime,
  agentRefused,
  agentSilent,
  connectionGone,
} from '../../src/guest/agent/agent-failures.ts';
import { notFrozen } from '../../src/guest/agent/freezer.ts';
import { cannotKeep, notTold } from '../../src/guest/agent/give-back.ts';
import { describeStage, failureOfStage, stages } from '../../src/guest/console/boot.ts';
import { restartedIn } from '../../src/guest/console/complaints.ts';
import { leftUnread, lostWords } from '../../src/guest/console/console-log.ts';
import { debugScript } from '../../src/guest/debug/debug-script.ts';
import {
  brokenLink,
  identityBroken,
  identityMissing,
  keygenFailed,
  looseMode,
} from '../../src/guest/identity/identity.ts';
import { readOpensshKey } from '../../src/guest/identity/openssh-key.ts';
import { noInitrd } from '../../src/guest/identity/seed.ts';
import { ProbeAnswer } from '../../src/guest/login/probe-answer.ts';
import { judge } from '../../src/guest/login/probe.ts';
import { sshHint } from '../../src/guest/login/ssh-words.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { tells } from './tell.ts';

const key = '/builder/keys/client';

/** What is wrong with a key file of these fields: cipher, how many keys, type. */
function wrongKey(cipher: string, count: number, type: string) {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const field = (value: string | Buffer) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([number(bytes.length), bytes]);
  };
  const parts = [field(cipher), field('none'), field(''), number(count), field(field(type))];
  const blob = Buffer.concat([Buffer.from('openssh-key-v1\0'), ...parts]).toString('base64');
  return wrong(`-----BEGIN OPENSSH PRIVATE KEY-----\n${blob}\n-----END OPENSSH PRIVATE KEY-----\n`);
}
function wrong(text: string) {
  const read = readOpensshKey(text);
  return 'wrong' in read ? identityBroken(key, read.wrong) : undefined;
}

/** What a login says that ended so after the guest said this. */
function login(said: string | Buffer, end: Parameters<typeof judge>[1]) {
  const answer = new ProbeAnswer(new FakeClock(1_767_323_045_000));
  if (said.length > 0) answer.take(Buffer.from(said));
  const probe = judge(answer, end, { timeoutMs: 30_000, tookMs: 100 });
  return 'detail' in probe ? [probe.detail, probe.hint] : undefined;
}
const ssh = (ended: { kind: string; [fact: string]: unknown }, stderr = '') =>
  ({ ended, stdout: '', stderr }) as never;
const nixReply = Buffer.from(
  '6f697864000000000a0100000000000073746c610000000073746c610000000000000000000000000000',
  'hex',
);
/** Its error, with no text. */
const refusal = Buffer.from(
  '6f697864000000000a0100000000000070747863000000000000000000000000',
  'hex',
);
const now = '1767323045.0\n';

tells('guest', {
  'The guest boots, by stage': {
    ...Object.fromEntries([...stages, 'another'].map((name) => [name, () => describeStage(name)])),
  },
  'The guest stops its boot': Object.fromEntries(
    [
      'seed-missing',
      'root-broken',
      'disk-missing',
      'disk-foreign',
      'disk-broken',
      'fence-broken',
      'network-missing',
      'another',
    ].map((name) => [name, () => failureOfStage({ name, reason: 'it holds xfs' })]),
  ),
  'The console': {
    'a service ended': () => restartedIn('restarted-sshd'),
    'the log was not read fast enough': () => lostWords(70_000),
    'nobody knows how much was not read': () => lostWords(),
    'the daemon before was killed': () => leftUnread,
  },
  'The guest agent': {
    'is silent': () => agentSilent('guest-ping', 5_000),
    'is gone': () => agentAway('connection refused'),
    'hangs up': connectionGone,
    refuses: () => agentRefused({ desc: 'Command guest-exec has been disabled' }),
    'refuses without a reason': () => agentRefused({}),
    'does not tell the time': agentNoTime,
    'does not freeze the disk': () => notFrozen('fsfreeze: /nix: freeze failed'),
    'does not freeze the disk, and says nothing': () => notFrozen(''),
    'cannot keep what a collection is to leave': () => cannotKeep('mkdir: No space left'),
    'cannot end a collection': () => notTold('kill: no such process'),
  },
  'The keys': {
    'one is missing': () => identityMissing(key),
    'one is a link to nothing': () => identityBroken(key, brokenLink),
    'one is empty': () => wrong('\n'),
    'one is cut off': () => wrong('-----BEGIN OPENSSH PRIVATE KEY-----\n'),
    'one has a passphrase': () => wrongKey('aes256-ctr', 1, 'ssh-ed25519'),
    'one is two': () => wrongKey('none', 2, 'ssh-ed25519'),
    'one is of another type': () => wrongKey('none', 1, 'ssh-rsa'),
    'one is open to others': () => looseMode(key, '0640'),
    'ssh-keygen fails': () => keygenFailed('/usr/bin/ssh-keygen', 'unknown key type ed25519'),
    'the initrd that shall carry them is missing': () => noInitrd('/images/builder-initrd.img'),
  },
  'A login': {
    'takes too long': () => login('', 'late'),
    'is refused': () => login('', ssh({ kind: 'exited', code: 255 }, 'Permission denied')),
    'fails without a word': () => login('', ssh({ kind: 'exited', code: 255 })),
    'is killed': () => login('', ssh({ kind: 'signalled', signal: 'SIGKILL' })),
    'cannot begin': () => login('', ssh({ kind: 'not-started', reason: 'EACCES' })),
    'is not wanted any more': () => login('', ssh({ kind: 'cancelled' })),
    'is greeted by its shell': () => login('Welcome to your new Linux!\n', 'late'),
    'finds no nix-daemon': () => login(now, 'late'),
    'finds a nix-daemon that refuses': () =>
      login(Buffer.concat([Buffer.from(now), refusal]), 'answered'),
    'finds a clock that is wrong': () =>
      login(Buffer.concat([Buffer.from('1767323000.0\n'), nixReply]), 'answered'),
  },
  'What to do about ssh’s words': Object.fromEntries(
    [
      'Permission denied (publickey).',
      'Host key verification failed.',
      'Load key "/k": invalid format',
      'Identity file /k not accessible',
      'connect to host x: Connection refused',
      'Connection reset by peer',
      'Bad configuration option: include',
      'odd',
    ].map((words) => [words, () => sshHint(words)]),
  ),
  'A debug shell': Object.fromEntries(
    [...debugScript('').matchAll(/\bsay ('([^']+)'|"([^"]+)")/g)].map(
      ([, , plain = '', quoted = plain], n) => [
        `line ${n + 1}`,
        () => `linuxkit-builder: ${quoted}`,
      ],
    ),
  ),
});
