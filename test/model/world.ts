/**
 * A world for the real Supervisor, with the real driver of QEMU: programs named as QEMU and ssh on a PATH of its own, of which
 * the first is a shell that waits and the second answers as a ready guest does. What QEMU and the guest's agent would say on their
 * sockets is said here.
 */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parseConfig, type Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { floorsFor } from '../../src/vm/floors.ts';
import { debianArch, nativeSystem } from '../../src/domain/guest-system.ts';
import { ensureIdentity } from '../../src/guest/identity/identity.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { identify } from '../../src/system/process/process.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { fakeKernel } from '../fakes/fake-image.ts';
import { removeTree } from '../remove-tree.ts';

/** A line of a stand-in for QEMU: asked what it was built with, it says nothing, and no guest was started. */
export const unasked = 'case "$*" in *"-machine none"*) exit ;; esac';

export class World implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly layout: Layout;
  readonly config: Config;
  /** Whether the guest hears the power button and its agent obeys. */
  isDeaf = false;
  /** How often the guest was asked to end. */
  asked = 0;
  /** Builds that run in the guest. */
  builds = 0;
  /** Whether its agent says nothing any more. */
  isMute = false;
  /** Whether the state directory is still the daemon's. */
  isThere = true;
  readonly #now: () => number;
  readonly #root: string;
  readonly #agent: FakeAgent;
  readonly #qmp: Server;
  readonly #image: string;
  readonly #guestTime: string;
  #monitors: Socket[] = [];
  readonly #path = process.env['PATH'];

  /** `now`: what the guest's clock shows; by default the world's own. */
  static async make(now?: () => number): Promise<World> {
    const root = mkdtempSync(join(tmpdir(), 'model-'));
    const agent = await FakeAgent.listen(join(root, 'agent'));
    const world = new World(root, agent, now);
    await new Promise<void>((resolve) => world.#qmp.listen(join(root, 'qmp'), resolve));
    mkdirSync(world.layout.state, { recursive: true });
    await ensureIdentity(world.layout);
    world.#writePrograms();
    return world;
  }

  private constructor(root: string, agent: FakeAgent, now = () => this.clock.now()) {
    this.#now = now;
    this.#root = root;
    this.#agent = agent;
    this.layout = layoutOf(join(root, 's'));
    this.#image = join(this.layout.images, 'builder');
    this.#guestTime = join(root, 'time');
    const settings = {
      accelerator: 'tcg',
      diskGiB: 2,
      port: 1,
      // On a laptop too.
      start: 'login',
      idle: { after: '10 min', how: 'never' },
    };
    const parsed = parseConfig(JSON.stringify(settings), hostFacts(root));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    // A free port for the door.
    this.config = { ...parsed.config, port: 0 };
    agent.odd = ({ execute }) => {
      if (execute === 'guest-get-time' && !this.isMute)
        return `{"return": ${BigInt(Math.round(this.#now())) * 1_000_000n}}\n`;
      if (execute === 'guest-exec-status' && !this.isMute) return this.#inside();
      if (execute !== 'guest-shutdown') return this.isMute ? '' : undefined;
      this.asked++;
      if (!this.isDeaf) this.kill('SIGTERM');
      return '';
    };
    this.#qmp = createServer((socket) => this.#serve(socket));
  }

  /** VM processes that live now. */
  vms(): number[] {
    const started = lines(join(this.#root, 'started')).map(Number);
    return started.filter((pid) => identify(pid) !== undefined);
  }

  /** VM processes that ever began. */
  get starts(): number {
    return lines(join(this.#root, 'started')).length;
  }

  get isVmLocked(): boolean {
    return isLocked(this.layout.vmLock);
  }

  kill(name: NodeJS.Signals): void {
    for (const pid of this.vms()) process.kill(-pid, name);
    this.hangUp();
  }

  /** The guest formats its disk where it is blank, and boots. Its agent may come later. Without a disk no VM was ever begun. */
  boot(stages: readonly string[] = ['init', 'agent', 'nix', 'sshd']): void {
    if (!existsSync(this.layout.disk)) return;
    const fd = openSync(this.layout.disk, 'r+');
    const superblock = Buffer.alloc(1024);
    superblock.writeUInt16LE(0xef53, 0x38);
    superblock.write('linuxkit-nix', 0x78);
    writeSync(fd, superblock, 0, superblock.length, 1024);
    closeSync(fd);
    this.tick();
    for (const stage of stages) this.say(`linuxkit-builder: stage=${stage} uptime=1`);
  }

  /** The guest writes to its console. */
  say(line: string): void {
    if (this.vms().length > 0) appendFileSync(this.layout.consoleRing, `${line}\r\n`);
  }

  /** QEMU says that something happened. */
  tell(event: string, data: object = {}): void {
    for (const socket of this.#monitors) socket.write(`${JSON.stringify({ event, data })}\n`);
  }

  /** Images that were made so far. */
  updates = 0;

  /** A new image, as `image build` leaves it: new files under the old names. */
  update(): void {
    if (!this.isThere) return;
    mkdirSync(this.layout.images, { recursive: true });
    const parts = {
      kernel: ['kernel', fakeKernel('6.1')],
      initrd: ['initrd.img', gzipSync('initrd')],
      cmdline: ['cmdline', Buffer.from(`quiet ${++this.updates}\n`)],
    } as const;
    const files = Object.entries(parts).map(([part, [name, bytes]]) => {
      rmSync(`${this.#image}-${name}`, { force: true });
      writeFileSync(`${this.#image}-${name}`, bytes);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return [part, { sha256, size: bytes.length }];
    });
    const manifest = {
      arch: debianArch(nativeSystem(process.arch)),
      kernelVersion: '6.1',
      inputs: {},
      suite: 's',
      indexDate: String(this.updates),
      packages: Object.fromEntries(
        floorsFor(debianArch(nativeSystem(process.arch))).map((floor) => [
          floor.package,
          floor.version,
        ]),
      ),
      squashfs: { tool: 't', version: '1', options: [] },
      files: Object.fromEntries(files) as unknown,
    };
    rmSync(`${this.#image}-manifest.json`, { force: true });
    writeFileSync(`${this.#image}-manifest.json`, JSON.stringify(manifest));
  }

  /** Takes the image's kernel away. */
  spoil(): void {
    rmSync(`${this.#image}-kernel`, { force: true });
  }

  /** Other bytes in the image's kernel: as many, and none that a look would see. */
  corrupt(): void {
    if (!existsSync(`${this.#image}-kernel`)) return;
    const bytes = readFileSync(`${this.#image}-kernel`);
    bytes[bytes.length - 1] = 0x42;
    this.spoil();
    writeFileSync(`${this.#image}-kernel`, bytes);
  }

  /** No incident can be kept: a file is where its folder should be. */
  blockIncidents(): void {
    if (!this.isThere) return;
    removeTree(this.layout.incidents);
    writeFileSync(this.layout.incidents, '');
  }

  /** All is as it should be again. */
  mend(): void {
    removeTree(this.layout.incidents);
    writeFileSync(`${this.#image}-kernel`, fakeKernel('6.1'));
    this.isDeaf = this.isMute = false;
  }

  hangUp(): void {
    for (const socket of this.#monitors) socket.destroy();
    this.#agent.hangUp();
  }

  /** The guest's clock goes with ours. */
  tick(): void {
    writeFileSync(this.#guestTime, (this.#now() / 1000).toFixed(3));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL');
    process.env['PATH'] = this.#path;
    this.#agent.close();
    await new Promise((resolve) => this.#qmp.close(resolve));
    removeTree(this.#root);
  }

  /** What a look into the guest shows, as its agent says it. */
  #inside(): string {
    const users = Array.from({ length: this.builds }, (_, n) => `nixbld${n + 1}`);
    const said = ['root', ...users, '/dev/vda 2000000 1000 1999000 1% /nix', ''].join('\n');
    const data = Buffer.from(said).toString('base64');
    return `{"return": {"exited": true, "exitcode": 0, "out-data": "${data}"}}\n`;
  }

  #serve(socket: Socket): void {
    this.#monitors.push(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => (this.#monitors = this.#monitors.filter((each) => each !== socket)));
    socket.write('{"QMP":{}}\n');
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number };
        if (execute === 'system_powerdown') this.asked++;
        if (execute === 'system_powerdown' && !this.isDeaf) this.kill('SIGTERM');
        const forward = 'TCP[HOST_FORWARD] 12 127.0.0.1 9 10.0.2.15 22 0 0';
        const answers: Record<string, unknown> = {
          'human-monitor-command': forward,
          'query-status': { status: 'running', running: true },
        };
        const value = answers[execute] ?? {};
        if (!socket.destroyed) socket.write(`${JSON.stringify({ return: value, id })}\n`);
        if (execute === 'cont') this.tell('RESUME');
      }
    });
  }

  #writePrograms(): void {
    const programs = join(this.#root, 'bin');
    mkdirSync(programs);
    const write = (name: string, text: string) => {
      writeFileSync(join(programs, name), text);
      chmodSync(join(programs, name), 0o755);
    };
    const link = (name: string, path: string) => `ln -s '${join(this.#root, name)}' '${path}'`;
    const { qmp, agent } = this.layout;
    const vm = `#!/bin/sh\n${unasked}\necho $$ >>'${join(this.#root, 'started')}'\n${link('agent', agent)}\n${link('qmp', qmp)}\nexec sleep 600\n`;
    for (const name of ['qemu-system-x86_64', 'qemu-system-aarch64']) write(name, vm);
    const seconds = `$(cat '${this.#guestTime}')`;
    write(
      'ssh',
      `#!/bin/sh\necho ${seconds}\nprintf 'oixd\\0\\0\\0\\0\\12\\1\\0\\0\\0\\0\\0\\0stla\\0\\0\\0\\0stla\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'\nexec sleep 60\n`,
    );
    this.tick();
    process.env['PATH'] = `${programs}:${this.#path ?? ''}`;
    this.update();
    this.mend();
  }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
