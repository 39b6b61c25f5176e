/** What runs a command as root for a user. */
import { tryProgram } from './find-program.ts';

/** sudo(8), and doas(1), which Alpine and others have in its place: both take the command as it is, and -n for "without a question". */
const known = ['sudo', 'doas'] as const;
type RootProgram = (typeof known)[number];

/** The one that is here; sudo where neither is, whose absence is then said. */
export const rootProgram = (path: string | undefined = process.env['PATH']): RootProgram =>
  known.find((name) => tryProgram(name, path) !== undefined) ?? 'sudo';

/**
 * Whether it did not run the command, as its own words say. That it cannot resolve this machine's name is a warning (sudo.c); the sudo that is
 * written in Rust may call itself sudo-rs.
 */
export const isRefusedRoot = (stderr: string): boolean =>
  /^(sudo|sudo-rs|doas): (?!unable to resolve host)/m.test(stderr);
