/** This host's files, with Go's words for what is wrong with them. */
import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs';
import type { Files } from './command-line.ts';

export const realFiles: Files = {
  head: (path, bytes) => {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      return `open ${path}: ${words(error)}`;
    }
    try {
      const head = Buffer.alloc(bytes);
      return head.subarray(0, readSync(fd, head));
    } catch (error) {
      return `read ${path}: ${words(error)}`;
    } finally {
      closeSync(fd);
    }
  },
  exists: (path) => existsSync(path),
  writePidfile: (path) => {
    try {
      writeFileSync(path, String(process.pid), { mode: 0o600 });
      return undefined;
    } catch (error) {
      return `open ${path}: ${words(error)}`;
    }
  },
};

/** Go's word for an errno, where that is another than Node's. */
const words = (error: unknown): string => {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return code === 'EISDIR'
    ? 'is a directory'
    : (/^[A-Z0-9]+: (.*?), \w/.exec(message)?.[1] ?? code);
};
