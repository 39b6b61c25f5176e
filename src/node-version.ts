/** Which Node is needed. Every Node has to understand this file: scripts/build.js makes it for Node 12, and it imports nothing. */

/** The oldest that runs the program, as package.json's `engines` says too. */
const needed = [20, 19] as const;

/** The exit code of a Node that is too old: EX_UNAVAILABLE of sysexits(3). Whoever keeps the daemon does not try again. */
export const unfitExit = 69;

/** One sentence about a Node that cannot run the program; undefined of one that can. version: as `process.versions.node` has it. */
export function unfitNode(version: string, program: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map((part) => parseInt(part, 10));
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return undefined;
  return `linuxkit-builder: Node ${needed.join('.')} or newer is required; this is Node ${version} (${program}).`;
}
