/** A nix-daemon of the host's own, as every Mac has one: it, and not nix-build, begins the ssh that comes to the door. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fact, type Command } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';

export class HostDaemon {
  readonly #rig: BuilderRig;
  readonly #dir: string;

  private constructor(rig: BuilderRig) {
    this.#rig = rig;
    this.#dir = join(rig.dir, 'nix');
  }

  /** Its connections go to that port of this machine; else to where `configure` leads them. */
  static async begin(rig: BuilderRig, port?: number): Promise<HostDaemon> {
    const host = new HostDaemon(rig);
    mkdirSync(join(host.#dir, 'conf'), { recursive: true });
    // Nobody else has these outputs, and to ask for them where there is no network takes five seconds.
    const conf = 'build-users-group =\nsubstitute = false\n';
    writeFileSync(join(host.#dir, 'conf/nix.conf'), conf);
    // NIX_SSHOPTS is split at spaces, which the state directory may have.
    const config = join(host.#dir, 'ssh_config');
    symlinkSync(rig.layout.sshConfig, config);
    const NIX_SSHOPTS = `-F ${config}${port === undefined ? '' : ` -p ${port}`}`;
    const store = `local?root=${host.#root}`;
    const daemon = rig.run(['nix-daemon'], {
      env: {
        ...host.#env,
        NIX_SSHOPTS,
        NIX_REMOTE: store,
        NIX_DAEMON_SOCKET_PATH: host.#socket,
      },
    });
    await fact('the nix-daemon of the host', () => {
      if (daemon.end !== undefined) throw new Error(`nix-daemon ended: ${daemon.said}`);
      return existsSync(host.#socket);
    });
    return host;
  }

  /** A build that nobody has made before, without inputs, of a few bytes: only the guest can make it. */
  build(name: string): Command {
    const file = join(this.#rig.dir, `${name}.nix`);
    writeFileSync(
      file,
      `derivation { name = "${name}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo ${name} > $out" ]; }\n`,
    );
    return this.#rig.run(
      [
        'nix-build',
        '--no-out-link',
        '--max-jobs',
        '0',
        '--store',
        `unix://${this.#socket}?root=${this.#root}`,
        '--builders',
        `@${this.#rig.layout.machines}`,
        file,
      ],
      { env: this.#env },
    );
  }

  get #socket(): string {
    return join(this.#dir, 'socket');
  }

  /** Where the files of /nix/store are on this host. */
  get #root(): string {
    return join(this.#dir, 'root');
  }

  get #env() {
    return {
      NIX_CONF_DIR: join(this.#dir, 'conf'),
      NIX_STATE_DIR: join(this.#dir, 'state'),
      NIX_LOG_DIR: join(this.#dir, 'log'),
    };
  }
}
