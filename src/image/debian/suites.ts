/** A suite is a signed list of packages. Suites that make up one release of Debian belong together: the newest of them counts. */

/** Which archive has a suite: Debian's own, or that of its security team. Each has its mirrors. */
export type Archive = 'main' | 'security';

/** One list and the archive that it is in. */
export interface Suite {
  readonly codename: string;
  readonly archive: Archive;
}

/** Suites that belong together, such as trixie with its security updates. */
export interface DebianRelease {
  readonly name: string;
  readonly suites: readonly Suite[];
}

/** Addresses without a final slash; `dists/` and `pool/` are below each. */
export type Mirrors = Readonly<Record<Archive, string>>;
