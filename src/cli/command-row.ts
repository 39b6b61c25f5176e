/** What is known of a command before it is called. */
import type { Command } from 'commander';
import type { CliContext, Perform } from '../command/context.ts';

/** A command as the help of the program shows it, and where the rest of it is. */
export interface CommandRow {
  readonly name: string;
  readonly alias?: string;
  /** What may follow its name. Default: options. */
  readonly usage?: string;
  readonly summary: string;
  /** For programs: no help shows it. */
  readonly hidden?: true;
  /** Loads what defines it, which is done only where it is called, or shown in full. */
  readonly load: () => Promise<DefineCommand>;
}

/** Gives a command its options, its arguments and what it does. */
type DefineCommand = (command: Command, context: CliContext, others: OtherCommands) => void;

/** What a command can have of the other ones. */
export interface OtherCommands {
  readonly perform: Perform;
  /** The program with each of its commands defined. */
  readonly program: () => Promise<Command>;
}
