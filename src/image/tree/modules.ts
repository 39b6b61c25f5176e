/** Kernel modules in the order in which insmod can take them. */
import { Exit, Failed } from '../../system/failure.ts';
import { compressionOf, decompressWhole } from './decompress.ts';
import { moduleName, type Parts } from './parts.ts';

/** A module as it is inserted: plain, since busybox's insmod does not unpack. */
export interface LoadableModule {
  readonly name: string;
  readonly data: Uint8Array;
}

/** The named modules and all they need, each after what it needs, without those that the kernel has inside. */
export async function loadOrder(
  names: readonly string[],
  parts: Pick<Parts, 'modules' | 'builtin'>,
  signal?: AbortSignal,
): Promise<LoadableModule[]> {
  const done = new Map<string, LoadableModule>();
  const visit = async (wanted: string, trail: readonly string[]): Promise<void> => {
    const name = moduleName(wanted);
    if (done.has(name) || parts.builtin.has(name) || trail.includes(name)) return;
    const module = parts.modules.get(name);
    if (module === undefined) throw missing(name, trail);
    const { path } = module;
    const data = unsigned(await decompressWhole(path, module.data, compressionOf(path), signal));
    for (const needed of dependsOf(data)) await visit(needed, [...trail, name]);
    done.set(name, { name, data });
  };
  for (const name of names) await visit(name, []);
  return [...done.values()];
}

/** `/modules/03-virtio_blk.ko`: the names sort in load order. */
export const numberedName = (index: number, name: string): string =>
  `${String(index + 1).padStart(2, '0')}-${name}.ko`;

/**
 * A module without the signature behind it, whose check is most of what it costs to load one. It protects nothing here: the kernel takes
 * what is unsigned as well, and whoever can change a module in the image can take its signature off. Behind the module stand the
 * signature, 12 bytes of which the last 4 are its length, and the magic words (kernel: include/linux/module_signature.h).
 */
export function unsigned(module: Uint8Array): Uint8Array {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.byteLength);
  const magic = '~Module signature appended~\n';
  const lengthAt = bytes.length - magic.length - 4;
  if (lengthAt < 8 || bytes.toString('latin1', lengthAt + 4) !== magic) return module;
  const size = lengthAt - 8 - bytes.readUInt32BE(lengthAt);
  return size < 0 ? module : module.subarray(0, size);
}

/** What a module says it needs: `depends=a,b` in its .modinfo section, strings that end in NUL (kernel: scripts/mod/modpost.c). */
export function dependsOf(module: Uint8Array): string[] {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.byteLength);
  const key = Buffer.from('\0depends=');
  const at = bytes.indexOf(key);
  if (at < 0) return [];
  const from = at + key.length;
  const list = bytes.toString('latin1', from, bytes.indexOf(0, from));
  return list.split(',').filter((name) => name !== '');
}

/** `trail`: the modules that led there, the asked-for one first. */
export const missing = (name: string, trail: readonly string[]): Failed =>
  new Failed({
    kind: 'module-missing',
    message: `The kernel has no module ${name}${trail.length === 0 ? '' : `, which ${trail.join(' and ')} needs`}.`,
    hint: 'The kernel does not match this version of linuxkit-builder. Use the lock that came with it.',
    exit: Exit.dataError,
  });
