/** What packages hold that does not go into the root as it is: the kernel, its modules, the initrd's shell, certificates. */
import type { Entry } from './entry.ts';
import { baseOf } from './entry.ts';

/** Filled while the packages pass by. */
export interface Parts {
  /** The kernel and the release that its file's name ends in. */
  kernel: { readonly release: string; readonly data: Uint8Array } | undefined;
  /** Modules by their names with `_`; perhaps compressed, as their paths say. */
  readonly modules: Map<string, Module>;
  /** Names of the modules that the kernel has inside. */
  readonly builtin: Set<string>;
  busybox: Uint8Array | undefined;
  readonly certificates: Map<string, Uint8Array>;
}

interface Module {
  readonly path: string;
  readonly data: Uint8Array;
}

/** Before the first package. */
export const noParts = (): Parts => ({
  kernel: undefined,
  modules: new Map(),
  builtin: new Set(),
  busybox: undefined,
  certificates: new Map(),
});

const patterns = {
  kernel: /^boot\/vmlinu[xz]-(.+)$/,
  module: /^usr\/lib\/modules\/[^/]+\/.*\.ko(\.xz|\.zst|\.gz)?$/,
  builtin: /^usr\/lib\/modules\/[^/]+\/modules\.builtin$/,
  busybox: /^usr\/bin\/busybox$/,
  certificate: /^usr\/share\/ca-certificates\/mozilla\/[^/]+\.crt$/,
};

/** Whether a file is a part, so that it has to be read even where the root does not keep it. */
export const isPart = (path: string): boolean =>
  Object.values(patterns).some((pattern) => pattern.test(path));

/** Remembers what is a part among a package's entries. */
export function collectParts(entries: readonly Entry[], parts: Parts): void {
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    const { path, data } = entry;
    const release = patterns.kernel.exec(path)?.[1];
    if (release !== undefined) parts.kernel = { release, data };
    if (patterns.module.test(path)) parts.modules.set(moduleName(path), { path, data });
    if (patterns.builtin.test(path))
      for (const line of Buffer.from(data).toString('utf8').split('\n'))
        if (line !== '') parts.builtin.add(moduleName(line));
    if (patterns.busybox.test(path)) parts.busybox = data;
    if (patterns.certificate.test(path)) parts.certificates.set(path, data);
  }
}

/** `kernel/drivers/block/virtio_blk.ko.xz` -> `virtio_blk`; the kernel takes - and _ for the same. */
export const moduleName = (path: string): string =>
  baseOf(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
