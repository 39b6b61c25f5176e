/** The public half of the key that root made for itself: whoever has the other half is root of this machine. */
import { readFileSync, statSync } from 'node:fs';
import { stampOf } from '../../system/files/stamp.ts';
import type { RootPaths } from '../system-paths.ts';

/** The same again and again, as often as one likes: read when the file is another. */
export function rootKeyReader({ clientPublicKey }: RootPaths): () => string | undefined {
  let known: { readonly version: string; readonly key: string | undefined } | undefined;
  return () => {
    const version = stampOf(clientPublicKey);
    if (known?.version !== version) known = { version, key: readRootKey(clientPublicKey) };
    return known.key;
  };
}

/** As a line of authorized_keys; undefined where there is none, or nothing that only root can have written. */
function readRootKey(path: string): string | undefined {
  try {
    const { uid, mode } = statSync(path);
    const isRoots = uid === 0 || uid === process.geteuid?.();
    if (!isRoots || (mode & 0o022) !== 0) return undefined;
    const text = readFileSync(path, 'utf8');
    return /^(ssh-ed25519 [A-Za-z0-9+/]{68})( [ -~]*)?\n?$/.exec(text)?.[1];
  } catch {
    // No such file, or none that can be read: then root has no key.
    return undefined;
  }
}
