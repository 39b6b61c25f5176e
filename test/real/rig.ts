/** A builder of a test's own: the real program, the real VM program, the real guest, in a directory that goes away. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { freePort } from '../rig/free-port.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { lockHash, readLock } from '../../src/image/image-lock.ts';
import { bundleAt, readManifest } from '../../src/vm/boot-image.ts';
import { Command, fact, killProcess, processesNaming } from './command.ts';
import { removeTree } from '../remove-tree.ts';

const checkout = dirname(dirname(import.meta.dirname));
const ourProgram = join(checkout, 'dist/main.js');
const stopLimitMs = 25_000;

export interface RigOptions {
  /** The test that it is for: it ends with that, also where that does not come back in time, and adds its report to a failure. */
  readonly context?: TestContext;
  /** Name of the state directory. */
  readonly name?: string;
  /** More flags for `configure`; a later flag wins. */
  readonly configure?: readonly string[];
  /** Another Node than the one that runs the tests. */
  readonly node?: string;
  /** Another build of our program. */
  readonly program?: string;
}

type Environment = Readonly<Record<string, string>>;

/** One line of the daemon's log. */
export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

export class BuilderRig implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'lk-'));
  readonly layout: Layout;
  readonly port: number;
  readonly env: Environment;
  readonly #node: string;
  readonly #program: string;
  readonly #commands: Command[] = [];
  #report: string | undefined;
  #disposal: Promise<void> | undefined;

  private constructor(
    { name = 's', node = process.execPath, program = ourProgram }: RigOptions,
    port: number,
  ) {
    reapAfterUs(this.dir);
    this.layout = layoutOf(join(this.dir, name));
    this.port = port;
    this.#node = node;
    this.#program = program;
    const home = join(this.dir, 'home');
    const tree = join(this.dir, 'tree');
    for (const path of [home, join(tree, 'etc/nix'), join(tree, userInfo().homedir)])
      mkdirSync(path, { recursive: true });
    this.env = {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      LINUXKIT_BUILDER_TREE: tree,
    };
  }

  /** A configured builder of a small guest; nothing runs yet. */
  static async create(options: RigOptions = {}): Promise<BuilderRig> {
    const rig = new BuilderRig(options, await freePort());
    if (options.context !== undefined) rig.belongTo(options.context);
    await rig.#configure(options.configure ?? []).catch(async (error: unknown) => {
      await rig[Symbol.asyncDispose]();
      throw error;
    });
    return rig;
  }

  async #configure(more: readonly string[]): Promise<void> {
    // One processor: no boot of hundreds is lost to the race between two that QEMU 7.2 emulates.
    const size = ['--port', String(this.port), '-c', '1', '-m', '1024', '-s', '4'];
    // On a laptop too the guest is there when the daemon is. An earlier release has no such settings.
    if (this.#program === ourProgram) size.push('--start', 'login', '--idle', 'never');
    const { end, said } = await this.cli(
      'configure',
      '--no-root',
      '--bundle',
      testImage(),
      ...size,
      ...more,
    );
    assert.ok(end === 0 && !said.includes('linuxkit-builder:'), said);
    // See known-verdicts.ts.
    const known = process.env['LINUXKIT_TEST_VERDICTS'];
    if (known !== undefined) copyFileSync(known, this.layout.verdicts);
  }

  /** Has it end with that test, whatever ends the test, and a failure followed by its report. */
  belongTo(context: Pick<TestContext, 'onTestFailed' | 'onTestFinished'>): void {
    this.explain(context);
    context.onTestFinished(() => this[Symbol.asyncDispose]());
  }

  /** Has a failure of that test followed by what daemon and guest said. */
  explain(context: Pick<TestContext, 'onTestFailed'>): void {
    context.onTestFailed(() => console.error(this.#report ?? this.report()));
  }

  /** Starts a command on this builder. */
  begin(command: string, ...argv: string[]): Command {
    return this.beginWith({}, command, ...argv);
  }

  beginWith(env: Environment, command: string, ...argv: string[]): Command {
    return this.program([command, '-d', this.layout.root, ...argv], { env });
  }

  /** Starts our program with just these words; `through` is a program before it, which becomes it. */
  program(
    argv: readonly string[],
    { env = {}, through = [] }: { env?: Environment; through?: readonly string[] } = {},
  ): Command {
    return this.run([...through, this.#node, this.#program, ...argv], { env });
  }

  /** Runs a command on this builder to its end. */
  async cli(name: string, ...argv: string[]): Promise<Command> {
    const command = this.begin(name, ...argv);
    await command.ended;
    return command;
  }

  /** Starts any program; it is ended with the rig at the latest. */
  run(
    argv: readonly string[],
    { env = {}, input = false }: { env?: Environment; input?: boolean } = {},
  ): Command {
    // A test that did not come back in time goes on behind its end.
    if (this.#disposal !== undefined) throw new Error(`The rig ${this.dir} has ended.`);
    const command = new Command(argv, { env: { ...this.env, ...env }, input });
    this.#commands.push(command);
    return command;
  }

  /** A command in the guest, by the ssh that people use, with its input open. */
  ssh(...command: string[]): Command {
    return this.run(['ssh', '-F', this.layout.sshConfig, 'nix-linuxkit', '--', ...command], {
      input: true,
    });
  }

  /** The daemon in the background, and ready. */
  async up(): Promise<void> {
    const started = await this.cli('start');
    assert.match(started.said, /Started the daemon/);
    await this.reaches('ready');
  }

  /** The daemon's record, whether it lives or not. */
  status(): Status | undefined {
    const found = readStatus(this.layout);
    return found.daemon === 'alive' ? found.status : found.last;
  }

  /** The record as soon as it says what is waited for. */
  async untilStatus(what: string, isSo: (status: Status) => boolean): Promise<Status> {
    return fact(`status: ${what}`, () => {
      const status = this.status();
      return status !== undefined && isSo(status) && status;
    });
  }

  /** The record in that phase, of a daemon that lives. */
  async reaches(phase: Status['phase']): Promise<Status> {
    return fact(`phase ${phase}`, () => {
      const found = readStatus(this.layout);
      return found.daemon === 'alive' && found.status.phase === phase && found.status;
    });
  }

  /** The daemon's log so far; its lines of one event, if that is named. */
  log(event?: string): LogLine[] {
    const lines = textOf(this.layout.log).split('\n').slice(0, -1);
    const all = lines.map((line) => JSON.parse(line) as LogLine);
    return event === undefined ? all : all.filter((line) => line.event === event);
  }

  /** The first line of that event. */
  async logged(event: string): Promise<LogLine> {
    return fact(`log: ${event}`, () => this.log(event)[0]);
  }

  phases(): unknown[] {
    return this.log('phase').map(({ phase }) => phase);
  }

  /** The guest's console, over all boots. */
  console(): string {
    return textOf(this.layout.consoleLog);
  }

  /** Who runs for this builder: its directory stands in their command lines. */
  processes(): ReturnType<typeof processesNaming> {
    return processesNaming(this.dir);
  }

  /** Waits until a stop is over, and looks at all that it must not leave. */
  async leavesNothing(): Promise<void> {
    await fact('no process left', () => this.processes().length === 0, stopLimitMs).catch(() =>
      assert.deepEqual(this.processes(), []),
    );
    const programs = ['daemon', 'qemu', 'hyperkit', 'vfkit', 'vpnkit', 'gvproxy'];
    const stays = ['start.lock', ...programs.map((name) => `${name}.json`)];
    const isLeft = (name: string) => stays.includes(name) || /\.(pid|sock|soc~)$/.test(name);
    assert.deepEqual(readdirSync(this.layout.state).filter(isLeft), []);
    for (const lock of [this.layout.daemonLock, this.layout.vmLock, this.layout.networkLock])
      assert.equal(isLocked(lock), false, lock);
  }

  /** What daemon, guest and commands said. */
  report(): string {
    const { log, consoleLog, daemonOutput, vmOutput, status } = this.layout;
    const files = [status, log, daemonOutput, vmOutput, consoleLog].map(
      (path) => `--- ${path}\n${textOf(path).split('\n').slice(-60).join('\n')}`,
    );
    const commands = this.#commands.map(
      ({ argv, end, said }) =>
        `--- ${argv.slice(1).join(' ')} -> ${end ?? 'runs'}\n${said.slice(-2000)}`,
    );
    return [...commands, ...files].join('\n');
  }

  /** Ends everything that was started for this builder, the daemon before its VM. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#dispose());
  }

  async #dispose(): Promise<void> {
    this.#report = this.report();
    for (const command of this.#commands) await command.kill();
    await fact('everything ended', () => {
      const left = this.processes();
      for (const { pid } of left) killProcess(pid);
      return left.length === 0;
    });
    removeTree(this.dir);
  }
}

/** Prefix of the image that the guests boot. */
export function testImage(): string {
  const prefix = process.env['LINUXKIT_TEST_IMAGE'] ?? join(checkout, '.cache/test-image/builder');
  if (!existsSync(ourProgram)) throw new Error(`There is no ${ourProgram}. Make it: npm run build`);
  if (!existsSync(`${prefix}-kernel`))
    throw new Error(
      `There is no guest image ${prefix}-kernel. Make it: node dist/main.js image build --output ${prefix}`,
    );
  const made = readManifest(bundleAt(prefix));
  const lock = join(checkout, 'src/image/lock.json');
  if (made !== undefined && made.inputs['lock'] !== lockHash(readLock(lock), made.arch))
    throw new Error(`The guest image ${prefix} is of another lock. Make it: scripts/test image`);
  return prefix;
}

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
