/** What vfkit writes, as it writes it where there is no terminal. */
import { writeSync } from 'node:fs';

/** Whoever read it may be gone. */
export function write(fd: 1 | 2, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // Then nobody reads it.
  }
}

/** logrus. */
export const log = (level: 'info' | 'warning' | 'fatal', text: string): void =>
  write(2, `time="${new Date().toISOString()}" level=${level} msg=${JSON.stringify(text)}\n`);

/** Go's own package log. */
export const goLog = (text: string): void =>
  write(
    2,
    `${new Date().toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} ${text}\n`,
  );
