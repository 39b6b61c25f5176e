/** What ssh's complaints mean here. Pure. */
import { advice, ours, type Text } from '../../system/advice.ts';

/** Where ssh says nothing of its own. */
export const notYet = advice`sshd in the guest does not answer yet, or the guest is frozen. See: ${ours('console')}`;

const meanings: readonly (readonly [RegExp, Text])[] = [
  [
    /permission denied|too many authentication/i,
    advice`The guest does not know the builder's key. It gets the key at each start: ${ours('restart')}`,
  ],
  [
    /host key|identification has changed|no .* key is known/i,
    advice`Another machine answers, or known_hosts is out of date. Run ${ours('configure')}, then ${ours('restart')}.`,
  ],
  [
    /unprotected private key|bad permissions|invalid format|error in libcrypto|load key/i,
    advice`ssh rejects the builder's key. To see why, run: ${ours('configure')}`,
  ],
  [
    /identity file .* not accessible|no such identity/i,
    advice`Create the keys: ${ours('configure')}`,
  ],
  [
    /refused/i,
    advice`Nothing is listening there: the VM is not running or is stopping. See: ${ours('status')}`,
  ],
  [/banner|reset|closed|broken pipe|timed out|no route|unreachable/i, notYet],
  [/bad configuration option/i, 'This ssh is too old: OpenSSH 7.6 or newer is required.'],
];

/** A hint for the last words of an ssh that did not get in. */
export const sshHint = (words: string): Text =>
  meanings.find(([pattern]) => pattern.test(words))?.[1] ??
  advice`Try it by hand: ${ours('ssh', '-- true')}`;
