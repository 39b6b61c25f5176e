/** What differs between vfkit's versions 0.6.0 to 0.6.4. */
export type Version = '0.6.0' | '0.6.1' | '0.6.2' | '0.6.3' | '0.6.4';

export const versions: readonly Version[] = ['0.6.0', '0.6.1', '0.6.2', '0.6.3', '0.6.4'];

/** Whether one version is at least the other: their last numbers have one digit. */
export const isSince = (version: Version, first: Version): boolean => version >= first;

/** The Mac that a command line is judged for. */
export interface Host {
  readonly version: Version;
  readonly arch: 'arm64' | 'amd64';
  /** macOS 15 on an M3 or later. */
  readonly nests?: boolean;
}

/** The architecture of this host, as Go calls it. */
export const nativeArch = (): Host['arch'] => (process.arch === 'arm64' ? 'arm64' : 'amd64');
