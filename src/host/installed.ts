/**
 * /etc/nix/linuxkit-builder/installed.json: what root keeps of an installation, whose it is and what was changed for it.
 * Root's own and readable by all, so that a removal finds it whoever ran root's part.
 */
import * as v from 'valibot';
import { Exit, Failed } from '../system/failure.ts';
import { readIfThere, writeWhole } from '../system/files.ts';
import { receiptSchema, withReceipt, type Receipt } from './receipts.ts';

export const ownerSchema = v.strictObject({
  /** Login name, for sentences. */
  name: v.string(),
  uid: v.number(),
  /** The state directory. */
  directory: v.string(),
});

/** Whose builder it is. */
export type Owner = Readonly<v.InferOutput<typeof ownerSchema>>;

const installedSchema = v.strictObject({
  version: v.literal(1),
  owner: ownerSchema,
  receipts: v.array(receiptSchema),
});

export type Installed = Readonly<v.InferOutput<typeof installedSchema>>;

/** Undefined where no builder is known to root. */
export function readInstalled(path: string): Installed | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return v.parse(installedSchema, JSON.parse(text));
  } catch (error) {
    const failure = {
      kind: 'installed-unreadable',
      message: `${path} is not what was written there: ${(error as Error).message}.`,
      hint: `It says what to undo at a removal. To go on without it: sudo rm '${path}'`,
      exit: Exit.dataError,
    };
    throw new Failed(failure, { cause: error });
  }
}

/** Adds receipts to what is known; does not touch the file when that changes nothing. */
export function recordInstalled(path: string, owner: Owner, news: readonly Receipt[]): void {
  const known = readInstalled(path);
  const receipts = news.reduce(withReceipt, known?.receipts ?? []);
  const installed: Installed = { version: 1, owner, receipts: [...receipts] };
  if (JSON.stringify(installed) !== JSON.stringify(known)) writeInstalled(path, installed);
}

export function writeInstalled(path: string, installed: Installed): void {
  writeWhole(path, `${JSON.stringify(installed, null, 2)}\n`, { mode: 0o644, alone: true });
}

/** Fails when the builder of this machine is another user's: both would want the same port, ssh alias and line of Nix's. */
export function refuseSecondUser(installed: Installed | undefined, uid: number): void {
  if (installed === undefined || installed.owner.uid === uid) return;
  const { name } = installed.owner;
  throw new Failed({
    kind: 'second-user',
    message: `This machine's builder belongs to ${name} (uid ${installed.owner.uid}), and nothing was changed.`,
    hint: `You can build on it already: nix-daemon uses it for every user. To have your own instead, ${name} runs first: linuxkit-builder unconfigure.`,
    exit: Exit.noPermission,
  });
}
