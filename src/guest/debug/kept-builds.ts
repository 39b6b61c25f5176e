/** Directories of builds that failed, which `debug` keeps in the guest for a next shell. */

/** Each is `NAME.drv/build`, with its size in KiB beside it in `kib`; made by root alone. */
export const keptBuilds = '/nix/var/linuxkit-builder/kept';

/** How long one stays that nobody opens. */
export const keptMinutes = 7 * 24 * 60;
