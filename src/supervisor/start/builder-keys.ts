/** Who may log in to the guest as `builder`: the daemon's owner, and root, whose key may come while the guest runs. */
import type { Layout } from '../../config/layout.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { readIdentity } from '../../guest/identity/identity.ts';
import { failureOf } from '../../system/failure.ts';
import { stampOf } from '../../system/files/stamp.ts';
import type { Log } from '../../system/log.ts';

interface KeySources {
  readonly layout: Pick<Layout, 'keys' | 'clientKey' | 'rootKey' | 'hostKey'>;
  /** The public half of root's own key for the guest, where root has one. */
  readonly rootsKey?: () => string | undefined;
}

/** Lines of authorized_keys. */
export function builderKeys({ layout, rootsKey }: KeySources): readonly string[] {
  const { client } = readIdentity(layout);
  const roots = rootsKey?.();
  const isAnother = roots !== undefined && !client.public.startsWith(roots);
  return isAnother ? [client.public, `${roots} nix-daemon`] : [client.public];
}

/** Another for each set of keys; costs no more than a look at two files. */
export const keysVersion = ({ layout, rootsKey }: KeySources): string =>
  `${stampOf(layout.clientKey)} ${rootsKey?.() ?? ''}`;

/** A guest that is ready, as far as its keys go. */
interface Guest {
  readonly agent: Pick<GuestAgent, 'exec'>;
  /** The keys that it has, as {@link keysVersion} has them; undefined where nobody knows. */
  readonly told: { keys: string | undefined };
  readonly signal: AbortSignal;
}

/** Tells guests that run of keys that came after their seed. */
export class GuestKeys {
  readonly #sources: KeySources & { readonly log?: Log };
  #telling: Promise<boolean> | undefined;

  constructor(sources: KeySources & { readonly log?: Log }) {
    this.#sources = sources;
  }

  /** True when the guest has the keys as they are now. One that cannot take them has them when it starts again. */
  async tell(guest: Guest | undefined): Promise<boolean> {
    if (guest === undefined || keysVersion(this.#sources) === guest.told.keys) return true;
    this.#telling ??= this.#put(guest).finally(() => (this.#telling = undefined));
    return this.#telling;
  }

  async #put({ agent, told, signal }: Guest): Promise<boolean> {
    const { log } = this.#sources;
    // Once for each: a guest that cannot take them is not asked every 5 s.
    told.keys = keysVersion(this.#sources);
    try {
      const keys = builderKeys(this.#sources);
      const args = ['-c', script, 'sh', ...keys];
      const { code, stderr } = await agent.exec('/bin/sh', args, { signal, timeoutMs: 4_000 });
      log?.(code === 0 ? 'info' : 'warn', 'keys-told', { keys: keys.length, code, stderr });
      return code === 0;
    } catch (error) {
      if (!signal.aborted) log?.('warn', 'keys-not-told', { failure: failureOf(error) });
      return false;
    }
  }
}

/** Where our own guest's sshd looks, and where it takes them from when it starts anew (docs/guest-contract.md). */
const script = `set -e
for file in /run/seed/authorized_keys.builder /etc/ssh/authorized_keys/builder; do
  [ -f "$file" ]
  printf '%s\\n' "$@" >"$file.new"
  mv "$file.new" "$file"
done`;
