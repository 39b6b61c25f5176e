/** Processes that a test starts itself, and waiting for facts. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface CommandOptions {
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Keep its input open, for `write`. */
  readonly input?: boolean;
}

/** A process with what it has said so far. It leads a session of its own, so a signal reaches it and its helpers only. */
export class Command {
  readonly #child: ChildProcess;
  readonly argv: readonly string[];
  stdout = '';
  stderr = '';
  /** How it ended, once it did: its exit code, or the name of the signal that killed it. */
  end: number | string | undefined;
  readonly ended: Promise<number | string>;

  constructor(argv: readonly string[], { env, input = false }: CommandOptions) {
    const [program = '', ...rest] = argv;
    this.argv = argv;
    this.#child = spawn(program, rest, { env: { ...env }, detached: true, stdio: 'pipe' });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#child.stdin?.on('error', () => undefined);
    if (!input) this.#child.stdin?.end();
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // `close` and not `exit`: what it said is complete. A daemon's children have none of its pipes.
      this.#child.once('close', (code, signal) =>
        resolve((this.end = code ?? signal ?? 'unknown')),
      );
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.argv[0] ?? ''} was not started`);
    return pid;
  }

  /** Everything that it said. */
  get said(): string {
    return this.stdout + this.stderr;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Reads nothing more of what it says, as a terminal that was closed. */
  hangUp(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Ends it and whatever it started in its session. */
  async kill(): Promise<void> {
    if (this.end !== undefined) return;
    killProcess(-this.pid);
    await this.ended;
  }
}

/** Ends a process, or with a negative number its group; no error if it is gone. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended a moment ago.
  }
}

/** The processes in whose command lines a path stands, or that work in it. */
export function processesNaming(
  path: string,
): { readonly pid: number; readonly command: string }[] {
  const { stdout } = spawnSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => ({ pid: Number.parseInt(line, 10), command: line.trim() }))
    .filter(({ pid, command }) => command.includes(path) || worksIn(pid, path));
}

function worksIn(pid: number, path: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(path);
  } catch {
    // It ended a moment ago, or is a kernel's.
    return false;
  }
}

/** Looks until there is something, and returns it. Fails by naming the fact that did not come. */
export async function fact<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 150_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline)
      throw new Error(`this did not come within ${timeoutMs / 1000} s: ${what}`);
    await pause(15);
  }
}
