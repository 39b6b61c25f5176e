/** One thing wrong in what a person wrote. All of them are reported at once. */
export interface Problem {
  /** Where: `memoryMiB`, `qemu.program`, `state directory`. */
  readonly path: string;
  readonly value: unknown;
  /** What is wrong, to be read after the path: "is above the host's 8192 MiB". */
  readonly message: string;
  readonly hint: string;
}

/** A problem in one line, value included. */
export function describeProblem({ path, value, message, hint }: Problem): string {
  const shown = value === undefined ? '' : ` = ${JSON.stringify(value)}`;
  return `${path}${shown}: ${message}. ${hint}`;
}
