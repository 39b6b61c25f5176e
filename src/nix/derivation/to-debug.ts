/** A derivation in the store of this machine, with all that its build sees. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { reasons } from '../../system/files/reasons.ts';
import { errorCode, Exit, Failed, type Failure } from '../../system/failure.ts';
import { parseStored, type StoredDerivation } from './stored-derivation.ts';

/** What has to be in the guest for its build to be there. */
export interface ToDebug {
  /** As it was asked for. */
  readonly path: string;
  /** Name of its file, which is a name for a file anywhere. */
  readonly name: string;
  readonly derivation: StoredDerivation;
  /** Store paths, each once: sources, and the outputs of other derivations that it wants. */
  readonly inputs: readonly string[];
}

/** Nix's store-path.cc and path.cc: a hash in Nix's base 32, and a name of at most 211 characters that does not begin with a dot. */
const derivationPath = /^\/nix\/store\/([0-9a-df-np-sv-z]{32}-[\w+?=-][\w+.?=-]*\.drv)$/;
/** `^*`, `^out`, `^out,dev`; and as releases between wrote it, `!out`. */
const outputsBehind = /(?<=\.drv)[\^!](\*|[\w+?=.-]+(,[\w+?=.-]+)*)$/;

/**
 * `word`: its path, also by its name in the store alone, or with the outputs that newer releases of Nix name behind it. `tree`: the directory
 * in which to find /nix, for tests. Failed where it is none that can be built in a guest, and be debugged there.
 */
export function toDebug(word: string, tree = ''): ToDebug {
  const path = `${word.includes('/') ? '' : '/nix/store/'}${word.replace(outputsBehind, '')}`;
  const name = derivationPath.exec(path)?.[1];
  if (name === undefined || name.length > 211) throw new Failed(noPath(word));
  const derivation = stored(path, tree);
  const { builder, outputs } = derivation;
  if (builder.startsWith('builtin:')) throw new Failed(withinNix(path, builder));
  if (outputs.some((output) => output.algorithm !== '' && output.path === ''))
    throw new Failed(byContent(path));
  if (outputs.some((output) => output.path === '')) throw new Failed(unresolved(path));
  const made = derivation.inputs.flatMap(([input, wanted]) => {
    const all = stored(input, tree).outputs;
    return wanted.map((each) => all.find((output) => output.name === each)?.path ?? '');
  });
  if (made.includes('')) throw new Failed(unresolved(path));
  const inputs = [...new Set([...derivation.sources, ...made])].sort();
  return { path, name, derivation, inputs };
}

function stored(path: string, tree: string): StoredDerivation {
  let text: string;
  try {
    text = readFileSync(`${tree}${path}`, 'latin1');
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    const why = code === 'ENOENT' ? 'it does not exist' : (reasons[code] ?? code);
    throw new Failed(notRead(path, why), { cause: error });
  }
  const derivation = parseStored(text);
  if (derivation === undefined) throw new Failed(notUnderstood(path));
  return derivation;
}

const noPath = (path: string): Failure => ({
  kind: 'no-derivation',
  message: `${JSON.stringify(path)} is not the path of a derivation.`,
  hint: 'Nix prints the path when a build fails: /nix/store/...-NAME.drv. For a Nix file, run: nix-instantiate FILE.nix',
  exit: Exit.usage,
});

const notRead = (path: string, why: string): Failure => ({
  kind: 'derivation-not-read',
  message: `Cannot read ${path} in this machine's store: ${why}.`,
  hint: 'If garbage collection has deleted it, evaluate its Nix file again: nix-instantiate FILE.nix',
  exit: Exit.noInput,
});

const notUnderstood = (path: string): Failure => ({
  kind: 'derivation-not-understood',
  message: `${basename(path)} is in a format that cannot be debugged here.`,
  hint: 'Derivations that use experimental features are not supported.',
  exit: Exit.dataError,
});

const withinNix = (path: string, builder: string): Failure => ({
  kind: 'derivation-not-understood',
  message: `${basename(path)} has no build to enter: Nix does it internally (${builder}).`,
  hint: `To see what Nix reports, run: nix-store --realise -v ${path}`,
  exit: Exit.dataError,
});

const byContent = (path: string): Failure => ({
  kind: 'derivation-not-understood',
  message: `${basename(path)} is content-addressed, and this builder builds no such derivations: ca-derivations is not enabled in the guest's Nix.`,
  hint: `It failed on another machine. To see the log of that: nix-store --read-log ${path}`,
  exit: Exit.dataError,
});

/** Nix's derivation-goal.cc: it makes and builds another derivation, which has the inputs' paths. */
const unresolved = (path: string): Failure => ({
  kind: 'derivation-not-understood',
  message: `${basename(path)} depends on content-addressed derivations, so Nix built another derivation in its place.`,
  hint: 'Debug that one: Nix named its .drv file when the build failed. It has the same name and another hash.',
  exit: Exit.dataError,
});
