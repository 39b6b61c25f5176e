/** What ssh's complaints mean here. Pure. */

/** Where ssh says nothing of its own. */
export const notYet =
  'sshd in the guest does not answer yet, or the guest is frozen. See: linuxkit-builder console';

const meanings: readonly (readonly [RegExp, string])[] = [
  [
    /permission denied|too many authentication/i,
    "The guest does not know the builder's key. It gets the key at each start: linuxkit-builder restart",
  ],
  [
    /host key|identification has changed|no .* key is known/i,
    'Another machine answers, or known_hosts is out of date. Run linuxkit-builder configure, then linuxkit-builder restart.',
  ],
  [
    /unprotected private key|bad permissions|invalid format|error in libcrypto|load key/i,
    "ssh rejects the builder's key. To see why, run: linuxkit-builder configure",
  ],
  [
    /identity file .* not accessible|no such identity/i,
    'Create the keys: linuxkit-builder configure',
  ],
  [
    /refused/i,
    'Nothing is listening there: the VM is not running or is stopping. See: linuxkit-builder status',
  ],
  [/banner|reset|closed|broken pipe|timed out|no route|unreachable|no answer/i, notYet],
  [/bad configuration option/i, 'This ssh is too old: OpenSSH 7.6 or newer is required.'],
];

/** A hint for the last words of an ssh that did not get in. */
export const sshHint = (words: string): string =>
  meanings.find(([pattern]) => pattern.test(words))?.[1] ??
  'Try it by hand: linuxkit-builder ssh -- true';
