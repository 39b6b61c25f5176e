/**
 * What Nix itself says of its settings: it reads all of them before it does anything, even for `--version`, and does nothing with one that
 * it does not understand.
 */
import type { SystemPaths } from '../../host/system-paths.ts';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { whyFailed } from '../../system/process/end-words.ts';
import { quoted } from '../../system/plain-text.ts';

/** Settings that Nix refuses. */
export interface RefusedSettings {
  /** This machine's own, which nix-daemon reads too; nix-daemon's NIX_CONFIG; or those of whoever asks. */
  readonly whose: 'all' | 'daemon' | 'yours';
  /** Nix's own words, which repeat a piece of a person's file. */
  readonly words: string;
}

interface VersionSaid {
  /** What `nix --version` prints; undefined where that is not known. */
  readonly said: string | undefined;
  readonly refused?: RefusedSettings;
  /** Why it does not run, whatever its settings are. */
  readonly broken?: string;
}

interface Asked {
  readonly nix: string;
  readonly env: NodeJS.ProcessEnv;
  readonly systemPaths: SystemPaths;
  /** What stands for /; empty where that is / itself. */
  readonly tree: string;
  /** NIX_CONFIG of nix-daemon. */
  readonly daemons: string | undefined;
  readonly signal: AbortSignal;
}

/** Asked once, and again only where it fails: then with fewer settings each time, which shows whose they are. */
export async function askVersion(asked: Asked): Promise<VersionSaid> {
  const { daemons } = asked;
  const own = await version(asked, {});
  if (!hasRefused(own)) return { said: saidBy(own), ...(await refusedDaemons(asked, daemons)) };
  const bare = await version(asked, { ...noneOfYours, NIX_CONF_DIR: nowhere });
  if (!succeeded(bare)) return { said: '', broken: lastWords(bare) };
  const machines = await version(asked, { ...noneOfYours, NIX_CONF_DIR: asked.systemPaths.etcNix });
  return {
    said: bare.stdout,
    refused: hasRefused(machines)
      ? { whose: 'all', words: wordsOf(machines) }
      : { whose: 'yours', words: wordsOf(own) },
  };
}

async function refusedDaemons(
  asked: Asked,
  daemons: string | undefined,
): Promise<Pick<VersionSaid, 'refused'>> {
  if (daemons === undefined) return {};
  const ran = await version(asked, {
    ...noneOfYours,
    NIX_CONF_DIR: asked.systemPaths.etcNix,
    NIX_CONFIG: daemons,
  });
  return hasRefused(ran) ? { refused: { whose: 'daemon', words: wordsOf(ran) } } : {};
}

function version(
  { nix, env, systemPaths, tree, signal }: Asked,
  changes: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  // In a tree Nix shall find its settings there, too.
  const inTree = tree === '' ? {} : { NIX_CONF_DIR: systemPaths.etcNix, HOME: systemPaths.home };
  const all: [string, string | undefined][] = Object.entries({ ...inTree, ...env, ...changes });
  const set = all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const exact = Object.fromEntries(set) as Record<string, string>;
  return run(nix, ['--version'], { timeoutMs: 10_000, signal, env: exact });
}

const nowhere = '/nonexistent';
/** Nix 2.3 does not know of NIX_USER_CONF_FILES. */
const noneOfYours = {
  NIX_USER_CONF_FILES: '',
  NIX_CONFIG: '',
  XDG_CONFIG_HOME: nowhere,
  XDG_CONFIG_DIRS: nowhere,
};

/** One that takes too long or cannot be started says nothing of its settings. A file that includes itself makes it crash. */
const hasRefused = ({ ended }: CommandResult): boolean =>
  ended.kind === 'signalled' || (ended.kind === 'exited' && ended.code !== 0);

const saidBy = (ran: CommandResult): string | undefined =>
  succeeded(ran) ? ran.stdout : undefined;

/** One line of them, each made harmless; what it could do is no word of why. */
const wordsOf = (ran: CommandResult): string =>
  whyFailed(ran)
    .split('\n')
    .flatMap((line) => quoted(line) ?? [])
    .join(' | ');

const lastWords = (ran: CommandResult): string => wordsOf(ran).split(' | ').at(-1) ?? '';
