/**
 * A launchd for tests, with a launchctl that talks to it. Follows what launchctl(1), launchd.plist(5), the published sources
 * and reports of others say; both generations of commands. Time can be made to pass faster.
 */
import { chmodSync, lstatSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'plist';
import { Job, type JobKeys, type JobTimes } from './job.ts';
import { removeTree } from '../remove-tree.ts';

export interface StandInOptions extends Partial<JobTimes> {
  /** Sessions that exist. Default: the screen's and the one of every login. */
  readonly domains?: readonly string[];
  /** `old`: from before bootstrap, print and their like. */
  readonly generation?: 'modern' | 'old';
  /** What jobs get besides launchd's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** How many bootstraps fail with 5 without a reason, as while launchd clears away. */
  readonly sulks?: number;
}

interface Answer {
  readonly code: number;
  readonly out?: string;
  readonly err?: string;
}

const EIO = { code: 5, err: 'Bootstrap failed: 5: Input/output error' };
const absent = { code: 113, err: 'Could not find service in domain for user' };

export class StandInLaunchd {
  /** Holds `launchctl`: to be put on a PATH. */
  readonly bin: string;
  /** Every call that was made. */
  readonly calls: string[] = [];
  readonly #jobs = new Map<string, Job>();
  readonly #disabled = new Set<string>();
  readonly #domains: readonly string[];
  readonly #options: StandInOptions;
  readonly #server: Server;
  #sulks: number;

  static async start(options: StandInOptions = {}): Promise<StandInLaunchd> {
    const one = new StandInLaunchd(options);
    await new Promise<void>((resolve) => one.#server.listen(join(one.bin, 's'), resolve));
    return one;
  }

  private constructor(options: StandInOptions) {
    const uid = process.getuid?.() ?? 0;
    this.#options = options;
    this.#domains = options.domains ?? [`gui/${uid}`, `user/${uid}`];
    this.#sulks = options.sulks ?? 0;
    this.bin = mkdtempSync(join(tmpdir(), 'launchd-'));
    const client = join(this.bin, 'launchctl');
    writeFileSync(client, clientText(join(this.bin, 's')));
    chmodSync(client, 0o755);
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('end', () => {
        const argv = JSON.parse(text) as string[];
        this.calls.push(argv.join(' '));
        socket.end(JSON.stringify(this.#answer(argv)));
      });
    });
  }

  /** The job by its label, in whichever session. */
  job(label: string): Job | undefined {
    return [...this.#jobs.values()].find(({ keys }) => keys.Label === label);
  }

  disable(label: string): void {
    this.#disabled.add(label);
  }

  /** As at logout: every job is told to end, and what it leaves behind is nobody's. */
  async [Symbol.asyncDispose](): Promise<void> {
    const jobs = [...this.#jobs.values()];
    await Promise.all(jobs.map((job) => new Promise<void>((gone) => job.leave(gone))));
    await new Promise((resolve) => this.#server.close(resolve));
    removeTree(this.bin);
  }

  #answer([command = '', ...rest]: string[]): Answer {
    const old = ['load', 'unload', 'start', 'stop', 'list', 'remove'].includes(command);
    if (!old && this.#options.generation === 'old')
      return { code: 1, err: `launchctl: unknown subcommand "${command}"` };
    return old ? this.#old(command, rest) : this.#modern(command, rest);
  }

  #modern(command: string, argv: readonly string[]): Answer {
    const [first = '', second = ''] = argv;
    switch (command) {
      case 'print':
        return /^(system|(gui|user)\/\d+)$/.test(first)
          ? this.#printDomain(first)
          : this.#print(first);
      case 'enable':
      case 'disable':
        if (command === 'enable') this.#disabled.delete(labelOf(first));
        else this.#disabled.add(labelOf(first));
        return { code: 0 };
      case 'bootstrap':
        return this.#bootstrap(first, second);
      case 'bootout': {
        const job = this.#jobs.get(first);
        // Asynchronous: the job stays to be seen until its process is gone.
        job?.leave(() => this.#jobs.delete(first));
        return job === undefined
          ? { code: 3, err: 'Boot-out failed: 3: No such process' }
          : { code: 0 };
      }
      case 'kickstart': {
        const [target = '', ...flags] = [...argv].reverse();
        return this.#kickstart(target, flags.includes('-k'));
      }
      case 'kill': {
        const job = this.#jobs.get(second);
        if (job?.pid === undefined)
          return { code: 3, err: 'Could not signal service: 3: No such process' };
        if (first === 'SIGTERM') job.terminate();
        else job.kill(first as NodeJS.Signals);
        return { code: 0 };
      }
      default:
        return { code: 64, err: 'Unrecognized subcommand: ' + command };
    }
  }

  #bootstrap(domain: string, path: string): Answer {
    if (!this.#domains.includes(domain))
      return { code: 125, err: 'Bootstrap failed: 125: Domain does not support specified action' };
    const keys = readJob(path);
    if (keys === undefined || this.#sulks-- > 0) return EIO;
    const target = `${domain}/${keys.Label}`;
    if (this.#jobs.has(target) || this.#disabled.has(keys.Label)) return EIO;
    this.#load(target, keys);
    return { code: 0 };
  }

  #load(target: string, keys: JobKeys): void {
    const { throttleSecondMs = 1000, exitSecondMs = 1000, env = {} } = this.#options;
    const job = new Job(keys, { throttleSecondMs, exitSecondMs }, env);
    this.#jobs.set(target, job);
    job.loaded();
  }

  #kickstart(target: string, again: boolean): Answer {
    const job = this.#jobs.get(target);
    if (job === undefined) return absent;
    if (again) job.kill('SIGKILL');
    job.start();
    return { code: 0 };
  }

  #printDomain(domain: string): Answer {
    return this.#domains.includes(domain)
      ? { code: 0, out: `${domain} = {\n\ttype = user\n}` }
      : { code: 125, err: 'Could not print domain: 125: Domain does not support specified action' };
  }

  #print(target: string): Answer {
    const job = this.#jobs.get(target);
    if (job === undefined) return absent;
    const lines = [
      `${target} = {`,
      `\tactive count = ${job.pid === undefined ? 0 : 1}`,
      `\tstate = ${job.state}`,
      `\tminimum runtime = ${job.keys.ThrottleInterval ?? 10}`,
      `\texit timeout = ${job.keys.ExitTimeOut ?? 5}`,
      `\truns = ${job.runs}`,
      ...(job.pid === undefined ? [] : [`\tpid = ${job.pid}`]),
      job.lastSignal === undefined
        ? `\tlast exit code = ${job.lastExit ?? '(never exited)'}`
        : `\tlast terminating signal = ${job.lastSignal}`,
      '}',
    ];
    return { code: 0, out: lines.join('\n') };
  }

  /** These say 0 on many failures. */
  #old(command: string, argv: readonly string[]): Answer {
    const last = argv.at(-1) ?? '';
    const target = `old/${last}`;
    const job = this.#jobs.get(target);
    switch (command) {
      case 'load': {
        const keys = readJob(last);
        if (keys === undefined) return { code: 0, err: `${last}: Dubious permissions on file` };
        if (argv.includes('-w')) this.#disabled.delete(keys.Label);
        if (this.#disabled.has(keys.Label)) return { code: 0, err: 'nothing found to load' };
        if (!this.#jobs.has(`old/${keys.Label}`)) this.#load(`old/${keys.Label}`, keys);
        return { code: 0 };
      }
      case 'remove':
        job?.leave(() => this.#jobs.delete(target));
        return { code: 0 };
      case 'start':
        job?.start();
        return { code: job === undefined ? 3 : 0 };
      case 'stop':
        job?.terminate();
        return { code: job === undefined ? 3 : 0 };
      default: {
        if (job === undefined) return { code: 113, err: 'Could not find service' };
        const pid = job.pid === undefined ? [] : [`\t"PID" = ${job.pid};`];
        const status = (job.lastExit ?? 0) << 8;
        return { code: 0, out: ['{', `\t"LastExitStatus" = ${status};`, ...pid, '};'].join('\n') };
      }
    }
  }
}

/** launchctl.c, path_goodness_check, and what makes a job a job. */
function readJob(path: string): JobKeys | undefined {
  try {
    const stats = lstatSync(path);
    const ownedWell = stats.uid === 0 || stats.uid === process.getuid?.();
    if (!stats.isFile() || !path.endsWith('.plist') || !ownedWell) return undefined;
    if ((stats.mode & 0o022) !== 0) return undefined;
    const keys = parse(readFileSync(path, 'utf8')) as unknown as Partial<JobKeys>;
    return keys.Label === undefined || keys.ProgramArguments === undefined
      ? undefined
      : (keys as JobKeys);
  } catch {
    return undefined;
  }
}

const labelOf = (target: string): string => target.split('/').at(-1) ?? '';

const clientText = (socket: string): string => `#!${process.execPath}
const socket = require('node:net').connect(${JSON.stringify(socket)});
let text = '';
socket.end(JSON.stringify(process.argv.slice(2)));
socket.on('data', (chunk) => (text += chunk));
socket.on('error', (error) => { console.error(error.message); process.exit(71); });
socket.on('close', () => {
  const { code, out, err } = JSON.parse(text);
  if (out) console.log(out);
  if (err) console.error(err);
  process.exitCode = code;
});
`;
