/** Why ssh does not reach the guest, where somebody else's configuration of ssh is the reason. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rootLayout } from '../host/places.ts';
import { alias } from '../host/ssh.ts';
import { placesOfOption, strayOptions, type StrayOption } from '../host/ssh-effective.ts';
import { run, succeeded } from '../system/child.ts';
import { OthersFiles } from '../system/others-files.ts';
import { quoted } from '../system/plain-text.ts';
import type { DoctorFacts } from './doctor-facts.ts';

/** What is in the way, and what mends it. */
export interface ConfigFault {
  readonly what: string;
  readonly remedy: string;
}

/** Whose ssh is asked, and how it is called. */
export interface Asker {
  readonly who: 'user' | 'root';
  /** The command up to ssh itself, `sudo` included. */
  readonly ssh: readonly string[];
  /** `-F FILE` where ssh would not find the configuration by itself. */
  readonly file: readonly string[];
}

/** Asks ssh twice what it makes of the host: by all of its configuration, and by our file alone. Undefined where they agree. */
export async function configFault(
  facts: DoctorFacts,
  { who, ssh, file }: Asker,
): Promise<ConfigFault | undefined> {
  const { layout, places, context } = facts;
  const ours = who === 'root' ? rootLayout(places).sshConfig : layout.sshConfig;
  const [program = 'ssh', ...before] = ssh;
  const list = (...argv: readonly string[]) =>
    run(program, [...before, '-G', ...argv, alias], {
      timeoutMs: 10_000,
      signal: context.signal,
    });
  const alone = await list('-F', ours);
  if (!succeeded(alone)) return undefined;
  const all = await list(...file);
  if (!succeeded(all))
    return {
      what: all.stderr
        .trim()
        .split('\n')
        .slice(-3)
        .map((line) => quoted(line) ?? '')
        .join(' | '),
      remedy:
        'Take that line away; where another ssh needs it, put `IgnoreUnknown OPTION` above it.',
    };
  const strays = strayOptions(alone.stdout, all.stdout);
  const [first] = strays;
  if (first === undefined) return undefined;
  return {
    what: `other lines of ssh's configuration reach our host: ${strays.map((each) => stray(each, facts, who)).join('; ')}`,
    remedy: `Let those lines not count for our host: put them below a line \`Match !host ${alias}\`, or take them away.`,
  };
}

function stray({ name, value }: StrayOption, facts: DoctorFacts, who: Asker['who']): string {
  const { places, tree } = facts;
  const home = who === 'root' ? places.rootHome : places.home;
  const at = (path: string) => join(tree === '' ? '/' : tree, path);
  const files = [
    join(home, '.ssh/config'),
    at('etc/ssh/ssh_config'),
    ...namesIn(at('etc/ssh/ssh_config.d')),
  ];
  const found = placesOfOption(name, files, { read: new OthersFiles().read, home });
  const where = found.map(({ file, line }) => `${file}, line ${line}`).join(' and ');
  return `${name} ${value}${where === '' ? '' : ` (${where})`}`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    // None, or not for us to read.
    return [];
  }
}
