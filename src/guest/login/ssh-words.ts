/** What ssh's complaints mean here. Pure. */

const meanings: readonly (readonly [RegExp, string])[] = [
  [
    /permission denied|too many authentication/i,
    'The guest does not know our key; it learns it at each start: linuxkit-builder restart.',
  ],
  [
    /host key|identification has changed|no .* key is known/i,
    "Something else than our guest answers, or known_hosts is not this guest's: linuxkit-builder configure, then restart.",
  ],
  [
    /unprotected private key|bad permissions|invalid format|error in libcrypto|load key/i,
    'ssh does not take our key: linuxkit-builder configure says what is wrong with it.',
  ],
  [
    /identity file .* not accessible|no such identity/i,
    'Make the keys: linuxkit-builder configure.',
  ],
  [/refused/i, 'Nothing listens there: the VM is not running, or ends.'],
  [
    /banner|reset|closed|broken pipe|timed out|no route|unreachable|no answer/i,
    'sshd in the guest does not answer yet, or the guest is stuck: linuxkit-builder console.',
  ],
  [/bad configuration option/i, 'This ssh is too old: OpenSSH 7.6 or newer is needed.'],
];

/** A hint for the last words of an ssh that did not get in. */
export const sshHint = (words: string): string =>
  meanings.find(([pattern]) => pattern.test(words))?.[1] ??
  'Try it by hand: linuxkit-builder ssh -- true';
