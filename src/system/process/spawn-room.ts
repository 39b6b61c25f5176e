/** Whether this process may open what the start of a program takes. */
import { closeSync, openSync } from 'node:fs';
import { errorCode } from '../failure.ts';

/** Of pipes, and of what the start itself opens for a moment. */
const descriptorsNeeded = 12;

interface NotStarted {
  readonly kind: 'not-started';
  readonly reason: string;
}

/** The error of a process that may open no more files: Node's spawn then tells it as an event to which nobody listens yet. */
export function descriptorsLack(): NotStarted | undefined {
  const open: number[] = [];
  try {
    while (open.length < descriptorsNeeded) open.push(openSync('/dev/null', 'r'));
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    return code === 'EMFILE' || code === 'ENFILE'
      ? { kind: 'not-started', reason: code }
      : undefined;
  } finally {
    open.forEach(closeSync);
  }
}
