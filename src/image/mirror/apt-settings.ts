/** What apt is told on this machine, as apt itself reads it. Nothing where there is no apt. */
import { run, succeeded } from '../../system/process/child.ts';
import type { AptSettings } from '../http/proxy.ts';

/** Asks `apt-config dump` (apt-config(8)), which knows every file and every order. */
export async function readAptSettings(signal?: AbortSignal): Promise<AptSettings> {
  const ran = await run('apt-config', ['dump'], {
    timeoutMs: 10_000,
    ...(signal === undefined ? {} : { signal }),
  });
  return succeeded(ran) ? parseAptSettings(ran.stdout) : new Map();
}

/** Lines of the form `Name::Of::It "value";`. */
export function parseAptSettings(text: string): AptSettings {
  const found = text.matchAll(/^(\S+) "(.*)";$/gm);
  return new Map([...found].map(([, name = '', value = '']) => [name.toLowerCase(), value]));
}
