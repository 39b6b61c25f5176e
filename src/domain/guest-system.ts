/** The Linux machines that a guest can be, by the names that Nix has for them. */

/** Those that a guest's own kernel can be of. */
export const systemNames = ['x86_64-linux', 'aarch64-linux'] as const;
/** As Nix names it. */
export type System = (typeof systemNames)[number];

/** Those that a guest may build for beside its own. */
export const extraSystemNames = ['i686-linux'] as const;
/** What a guest may run beside its own system, where its kernel does. */
export const extraSystemsOf: Readonly<
  Record<System, readonly (typeof extraSystemNames)[number][]>
> = { 'x86_64-linux': ['i686-linux'], 'aarch64-linux': [] };

/** The system that a host runs at its own speed; `arch` is Node's name of its processor. */
export const nativeSystem = (arch: string): System =>
  arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux';

/** Debian's name of the processor. */
export const debianArch = (system: System): 'amd64' | 'arm64' =>
  system === 'aarch64-linux' ? 'arm64' : 'amd64';
