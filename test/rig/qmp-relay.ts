/**
 * A relay between the daemon and a real QEMU: a `stop` becomes whichever of QEMU's run states a test wants, in the events and in the
 * answers to `query-status`. So each is met on every machine. A wrapper on the PATH moves QEMU's own socket aside; where it is told
 * to, it lets the translator pass for the accelerator that was asked for.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Layout } from '../../src/config/layout.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { fieldsOf, JsonLines } from '../../src/system/socket/json-lines.ts';

/** What QEMU says before its STOP. */
const events: Readonly<Record<string, string>> = {
  'guest-panicked': 'GUEST_PANICKED',
  watchdog: 'WATCHDOG',
  'io-error': 'BLOCK_IO_ERROR',
  suspended: 'SUSPEND',
};

export class QmpRelay implements Disposable {
  readonly #path: string;
  readonly #end = new AbortController();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #stateQuestions = new Set<unknown>();
  #state: string | undefined;
  #qemu: JsonLines | undefined;
  #daemon: JsonLines | undefined;
  /** States that the next VMs are in as soon as the daemon has reached them. */
  readonly later: string[] = [];
  /** A state that the VM is in again whenever the daemon lets it go on. */
  ever: string | undefined;
  /** Commands of the daemon, by their names. */
  readonly heard: string[] = [];

  constructor(path: string) {
    this.#path = path;
    this.#server = createServer((socket) => void this.#serve(socket));
    void this.#listenAgain();
  }

  /** QEMU halts the guest, and is in that state. */
  stop(state: string): void {
    this.#state = state;
    this.#qemu?.send({ execute: 'stop', id: 'relay' });
  }

  /** The guest goes on. */
  cont(): void {
    this.#state = undefined;
    this.#qemu?.send({ execute: 'cont', id: 'relay' });
  }

  [Symbol.dispose](): void {
    this.#end.abort(new Error('the test is over'));
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  /** Each start removes the socket that it finds, so this looks for that of each QEMU. */
  async #listenAgain(): Promise<void> {
    try {
      for (;;) {
        if (existsSync(`${this.#path}.real`) && !existsSync(this.#path)) this.#listen();
        await systemClock.sleep(20, this.#end.signal);
      }
    } catch (error) {
      if (!this.#end.signal.aborted) throw error;
    }
  }

  #listen(): void {
    this.#server.close();
    rmSync(this.#path, { force: true });
    this.#server.listen(this.#path);
  }

  async #serve(socket: Socket): Promise<void> {
    const qemu = await this.#dial(socket);
    this.#state = undefined;
    const daemon: JsonLines = new JsonLines(socket, {
      onValue: (value) => this.#fromDaemon(value),
      onClosed: () => qemu.destroy(),
    });
    this.#daemon = daemon;
    this.#qemu = new JsonLines(qemu, {
      onValue: (value) => this.#fromQemu(value),
      onClosed: () => {
        socket.destroy();
        rmSync(this.#path, { force: true });
        rmSync(`${this.#path}.real`, { force: true });
      },
    });
  }

  async #dial(socket: Socket): Promise<Socket> {
    const qemu = connect(`${this.#path}.real`);
    for (const each of [socket, qemu]) {
      this.#sockets.add(each);
      each.on('error', () => undefined);
    }
    await new Promise((resolve) => qemu.once('connect', resolve).once('error', resolve));
    return qemu;
  }

  #fromDaemon(value: unknown): void {
    const { execute, id } = fieldsOf(value);
    this.heard.push(String(execute));
    if (execute === 'query-status') this.#stateQuestions.add(id);
    if (execute === 'cont') this.#state = undefined;
    if (execute === 'system_wakeup' && this.#state === 'suspended') {
      this.#daemon?.send({ return: {}, id });
      return this.cont();
    }
    this.#qemu?.send(value);
    const next = execute === 'human-monitor-command' ? this.later.shift() : undefined;
    const again = execute === 'cont' ? this.ever : undefined;
    for (const state of [next, again]) if (state !== undefined) this.stop(state);
  }

  #fromQemu(value: unknown): void {
    const fields = fieldsOf(value);
    if (fields['id'] === 'relay') return;
    const state = this.#state;
    if (fields['event'] === 'STOP' && state !== undefined) {
      const event = events[state];
      if (event !== undefined) this.#daemon?.send({ ...fields, event, data: {} });
      // Sleep is told by its own event alone.
      if (state === 'suspended') return;
    }
    const isState = this.#stateQuestions.delete(fields['id']);
    const status = { ...fieldsOf(fields['return']), status: state, running: false };
    this.#daemon?.send(isState && state !== undefined ? { ...fields, return: status } : value);
  }
}

/**
 * Puts the wrapper into the directory, under the name of that QEMU; what to put before PATH. `pretends`: the translator passes for kvm or
 * hvf, so that a trial of those succeeds.
 */
export function wrapQemu(
  directory: string,
  { qemu, layout, pretends }: { qemu: string; layout: Layout; pretends: boolean },
): string {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const name = qemu.split('/').at(-1) ?? qemu;
  const translator = `case "$word" in kvm | hvf) word=tcg ;; host) word=${process.arch === 'x64' ? 'max,-cx16,-erms' : 'max'} ;; esac`;
  writeFileSync(
    join(bin, name),
    `#!/bin/bash
words=()
from='unix:${layout.qmp},'
to='unix:${layout.qmp}.real,'
for word; do
  word=\${word/"$from"/"$to"}
  ${pretends ? translator : ''}
  words+=("$word")
done
exec ${qemu} "\${words[@]}"
`,
  );
  chmodSync(join(bin, name), 0o755);
  return bin;
}
