/** One thing in a file tree, as it goes into a tar or a cpio: everything belongs to root, times are not kept. */
/** Paths have no slash at their beginning. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** Another name of a file that stands before it. */
  | { readonly kind: 'hardlink'; readonly path: string; readonly target: string };

/** The path of a folder above, or '' at the top. */
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** The last part of a path. */
export const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
