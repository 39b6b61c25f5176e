/**
 * /etc/nix/linuxkit-builder/installed.json: what root keeps of an installation, above all whose it is. Root's own and readable by
 * all, so that a removal finds it whoever ran root's part.
 */
import { dirname } from 'node:path';
import * as v from 'valibot';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { readIfThere } from '../system/files/files.ts';
import { thisUser } from '../system/host/user.ts';
import type { RootPaths } from './system-paths.ts';
import { receiptSchema, replacedSchema, type Receipt } from './receipts.ts';
import { quotedWord } from '../system/shell.ts';
import { advice, ours, oursIn } from '../system/advice.ts';

const ownerSchema = v.strictObject({
  /** Login name, for sentences. */
  name: v.string(),
  uid: v.number(),
  /** The state directory. */
  directory: v.string(),
});

/** Whose builder it is. */
export type Owner = Readonly<v.InferOutput<typeof ownerSchema>>;

/** Who runs this: the daemon's owner. */
export function ownerHere(directory: string): Owner {
  const { name, uid } = thisUser();
  return { name, uid, directory };
}

const linesSchema = v.optional(v.array(replacedSchema));

/** Lines of others that ours took the place of: in Nix's list, and, for the release before, in root's ssh configuration. */
const replacementsSchema = v.strictObject({ machines: linesSchema, ssh: linesSchema });
type Replacements = Readonly<v.InferOutput<typeof replacementsSchema>>;

/** Of a builder that a configuration declares (`packaging/nix`): its name, and the command that restarts the daemon. */
const declaredSchema = v.strictObject({ by: v.string(), restart: v.string() });
type Declared = Readonly<v.InferOutput<typeof declaredSchema>>;

const installedSchema = v.variant('version', [
  v.strictObject({
    version: v.literal(2),
    owner: ownerSchema,
    declared: v.optional(declaredSchema),
    replaced: v.optional(replacementsSchema),
  }),
  /** The release before kept here how everything was before it. */
  v.strictObject({ version: v.literal(1), owner: ownerSchema, receipts: v.array(receiptSchema) }),
]);

/** All that a removal needs to know of what root did. */
export interface Installed {
  readonly owner: Owner;
  readonly declared?: Declared;
  readonly replaced: Replacements;
  /** Of the release before. */
  readonly receipts: readonly Receipt[];
}

/** Undefined where no builder is known to root. */
export function readInstalled(path: string): Installed | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const installed = v.parse(installedSchema, JSON.parse(text));
    const { owner } = installed;
    if (installed.version === 1) return { owner, replaced: {}, receipts: installed.receipts };
    const { declared, replaced = {} } = installed;
    return { owner, ...(declared && { declared }), replaced, receipts: [] };
  } catch (error) {
    throw new Failed(unreadable(path, error as Error), { cause: error });
  }
}

const unreadable = (path: string, { message }: Error): Failure => ({
  kind: 'installed-unreadable',
  message: `${path} is damaged.`,
  quotes: message,
  hint: `It records whose builder this machine has. To continue without it: sudo rm ${quotedWord(path)}`,
  exit: Exit.dataError,
});

/** What the file holds from now on. */
export const installedText = (owner: Owner, replaced: Replacements): string =>
  `${JSON.stringify({ version: 2, owner, ...(Object.keys(replaced).length > 0 && { replaced }) }, null, 2)}\n`;

/** Written by the release before. */
export const isOld = (known: Installed | undefined): boolean => (known?.receipts ?? []).length > 0;

/** What root's part made where nothing was before, so that a removal deletes it when it is empty again. */
export function madeIn(known: Installed | undefined, paths: RootPaths): string[] {
  const told = readIfThere(paths.made)?.split('\n') ?? [];
  const before = (known?.receipts ?? [])
    .filter(({ put, before }) => put === 'directory' || (put === 'block' && before === null))
    .map(({ path }) => path);
  return [...new Set([...told, ...before])].filter((path) => mayBeMade(path, paths));
}

/** Whatever a record says, root's part has made nothing but these and what they are in. */
function mayBeMade(path: string, { machines, ssh, directory }: RootPaths): boolean {
  if (path === machines || path === ssh) return true;
  return [machines, ssh].some((file) => isAbove(path, dirname(file))) && path !== directory;
}

const isAbove = (path: string, directory: string): boolean =>
  path.startsWith('/') && path.length > 1 && `${directory}/`.startsWith(`${path}/`);

/** Lines that were taken out, in the order in which they come back. */
export function replacedIn(known: Installed | undefined, paths: RootPaths): Replacements {
  const of = (name: 'machines' | 'ssh') => {
    const before = known?.receipts.find(({ put, path }) => put === 'block' && path === paths[name]);
    const lines = known?.replaced[name] ?? before?.replaced ?? [];
    return lines.length === 0 ? {} : { [name]: [...lines].sort((a, b) => a.line - b.line) };
  };
  return { ...of('machines'), ...of('ssh') };
}

/** Fails when the builder of this machine is another user's: both would want the same port, ssh alias and line of Nix's. */
export function refuseSecondUser(installed: Installed | undefined, uid: number): void {
  if (installed === undefined || installed.owner.uid === uid) return;
  const { name, directory } = installed.owner;
  const { declared } = installed;
  if (declared !== undefined)
    throw new Failed({
      kind: 'second-user',
      message: `This machine's builder is declared by ${declared.by} and runs as ${name}. Nothing was changed.`,
      hint: `You can already use it: nix-daemon sends every user's builds to it. Change its settings in ${declared.by}; ${declared.restart} restarts it. To set up your own builder instead, first remove it from that configuration.`,
      exit: Exit.noPermission,
    });
  throw new Failed({
    kind: 'second-user',
    message: `This machine's builder belongs to ${name} (uid ${installed.owner.uid}). Nothing was changed.`,
    hint: advice`You can already use it: nix-daemon sends every user's builds to it. To set up your own builder instead, ${name} must first run: ${oursIn(quotedWord(directory), 'unconfigure')}. If ${name} is gone, an administrator can run: sudo ${ours('unconfigure', '--owner-gone')}`,
    exit: Exit.noPermission,
  });
}
