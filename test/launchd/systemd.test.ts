/** The same life with a systemd that is not the system's: what it is told, in which order, by the real program. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { systemPathsOf } from '../../src/host/system-paths.ts';
import { unitPath } from '../../src/service/systemd/systemd-unit.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import { snapshot } from '../setup/configure-rig.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { freePort } from '../rig/free-port.ts';
import { needs } from '../needs.ts';
import { nothingToChange } from '../../src/setup/configure/configure.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

/**
 * systemctl: keeps its calls; `start` runs what ExecStart says in a session of its own, as systemd would, where the conditions hold; `stop` ends it.
 * A word of ExecStart is quoted as the shell quotes it, so long as it holds no % or backslash.
 */
const systemctl = `#!/bin/sh
echo "$*" >>"$0.calls"
[ "$1" != --user ] || shift
[ ! -e "$0.pid" ] || kill -0 "$(cat "$0.pid")" 2>/dev/null || rm "$0.pid"
case $1 in
start|restart)
    for path in ConditionFileIsExecutable ConditionPathExists; do
        grep -q "^$path=" "$UNIT" || continue
        sed -n "s/^$path=|*//p" "$UNIT" >"$0.paths"
        while read -r each; do [ ! -e "$each" ] || continue 2; done <"$0.paths"
        echo "skipped: $path" >>"$0.calls"
        exit 0
    done
    [ -e "$0.pid" ] || { eval "INVOCATION_ID=x setsid $(sed -n 's/^ExecStart=//p' "$UNIT" | sed 's/[$][$]/\\\\$/g') >/dev/null 2>&1 &
echo \\$! >'$0.pid'"; } ;;
stop|disable) [ ! -e "$0.pid" ] || { kill "$(cat "$0.pid")"; while kill -0 "$(cat "$0.pid")" 2>/dev/null; do sleep 0.05; done; rm "$0.pid"; } ;;
show) echo LoadState=loaded; echo UnitFileState=enabled; if [ -e "$0.pid" ]; then echo ActiveState=active; else echo ActiveState=inactive; fi ;;
esac
`;

async function rigOf() {
  const tree = mkdtempSync(join(tmpdir(), 'Jörgs Linux-'));
  const bin = mkdtempSync(join(tmpdir(), 'systemctl-'));
  const systemPaths = systemPathsOf(tree);
  for (const path of [systemPaths.home, systemPaths.etcNix]) mkdirSync(path, { recursive: true });
  const unit = unitPath(join(systemPaths.home, '.config'));
  writeFileSync(join(bin, 'systemctl'), systemctl);
  chmodSync(join(bin, 'systemctl'), 0o755);
  const port = ['--port', String(await freePort())];
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: systemPaths.home,
    UNIT: unit,
    LINUXKIT_BUILDER_TREE: tree,
    LINUXKIT_BUILDER_SERVICE: 'systemd',
    LINUXKIT_BUILDER_DIR: join(tree, 'state dir'),
  };
  return {
    tree,
    bin,
    unit,
    calls: () => readFileSync(join(bin, 'systemctl.calls'), 'utf8').trim().split('\n'),
    run(command: string, ...argv: string[]) {
      return this.runWith({}, command, ...argv);
    },
    /** By another Node. */
    runBy: (node: string, command: string, ...argv: string[]) =>
      spawnSync(node, [program.main, command, ...(command === 'configure' ? port : []), ...argv], {
        encoding: 'utf8',
        env,
        timeout: 30_000,
      }),
    /** Any program, in the same environment. */
    begin: (file: string, argv: readonly string[]) =>
      spawn(file, argv, { env, stdio: ['ignore', 'ignore', 'pipe'] }),
    runWith: (more: NodeJS.ProcessEnv, command: string, ...argv: string[]) =>
      spawnSync(
        process.execPath,
        [program.main, command, ...(command === 'configure' ? port : []), ...argv],
        { encoding: 'utf8', env: { ...env, ...more }, timeout: 30_000 },
      ),
    [Symbol.dispose]() {
      this.run('stop');
      removeTree(tree);
      removeTree(bin);
    },
  };
}

describe('with systemd', { timeout: 60_000 }, () => {
  test('from configure to unconfigure', async () => {
    using rig = await rigOf();
    const before = snapshot(rig.tree);
    expect(rig.run('configure').status).toBe(0);
    expect(existsSync(rig.unit)).toBe(false);
    expect(rig.run('configure', '--autostart').stdout).toContain(`Wrote ${rig.unit}`);
    expect(rig.run('start').stdout).toMatch(/^Started the daemon through systemd \(pid \d+\)\.\n$/);
    expect(rig.run('status').stdout).toContain('systemd starts it at login');
    expect(rig.run('stop').stdout).toMatch(/^Stopped\. systemd will start it again/);
    const gone = rig.run('status');
    expect(gone.status).toBe(69);
    expect(gone.stdout).toContain('systemd starts it at login.\n');
    expect(rig.run('start').stdout).toContain('through systemd');
    expect(rig.run('unconfigure', '--purge', '--yes').status).toBe(0);
    expect(snapshot(rig.tree)).toEqual(before);
    expect(rig.calls().filter((call) => !call.includes('show'))).toEqual([
      '--user daemon-reload',
      '--user enable linuxkit-builder.service',
      '--user restart linuxkit-builder.service',
      '--user stop linuxkit-builder.service',
      '--user daemon-reload',
      '--user enable linuxkit-builder.service',
      '--user start linuxkit-builder.service',
      '--user disable --now linuxkit-builder.service',
    ]);
  });

  // Behaviour 197: With `configure --system`, launchd or systemd starts the daemon at boot, without a login and as
  // its owner. Only the job's file belongs to root.
  test('a unit of the system, from configure to unconfigure', needs('root'), async () => {
    using rig = await rigOf();
    const folder = join(rig.tree, 'etc/systemd/system');
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(rig.tree, 'usr/bin'), { recursive: true });
    const wrapper = join(rig.tree, 'usr/bin/systemctl');
    writeFileSync(wrapper, `#!/bin/sh\nexec '${join(rig.bin, 'systemctl')}' "$@"\n`);
    chmodSync(wrapper, 0o755);
    const before = snapshot(rig.tree);
    const UNIT = join(folder, 'linuxkit-builder.service');
    const run = (command: string, ...argv: string[]) => rig.runWith({ UNIT }, command, ...argv);
    const printed = run('configure', '--system', '--no-root');
    expect(printed.stdout).toContain('that starts the daemon at boot');
    expect(existsSync(UNIT)).toBe(false);
    expect(run('configure').stdout).toContain(`Wrote ${UNIT}`);
    expect(existsSync(rig.unit)).toBe(false);
    const text = readFileSync(UNIT, 'utf8');
    expect(text).toMatch(/^User=\S+$/m);
    expect(text).toContain('WantedBy=multi-user.target');
    expect(run('configure').stdout).toBe(`${nothingToChange}\n`);
    expect(run('start').stdout).toMatch(/^Started the daemon through systemd \(pid \d+\)\.\n$/);
    expect(run('status').stdout).toContain('systemd starts it at boot');
    expect(run('stop').stdout).toMatch(
      /^Stopped\. systemd will start it again when this machine boots/,
    );
    expect(run('configure', '--autostart').stdout).toContain(`Deleted ${UNIT}`);
    expect(existsSync(rig.unit)).toBe(true);
    expect(run('configure', '--autostart', 'boot').stdout).toContain(`Wrote ${UNIT}`);
    expect(existsSync(rig.unit)).toBe(false);
    const removed = run('unconfigure', '--purge', '--yes');
    expect(removed).toMatchObject({ status: 0, stderr: '' });
    expect(snapshot(rig.tree)).toEqual(before);
    expect(rig.calls().filter((call) => !/show|--user/.test(call))).toEqual([
      'daemon-reload',
      'enable linuxkit-builder.service',
      'daemon-reload',
      'enable linuxkit-builder.service',
      'restart linuxkit-builder.service',
      'disable --now linuxkit-builder.service',
      'daemon-reload',
      'daemon-reload',
      'enable linuxkit-builder.service',
      'disable --now linuxkit-builder.service',
      'daemon-reload',
    ]);
  });

  // Behaviour 198: A job for the daemon that a Nix configuration or a person has declared is never rewritten. `start`
  // and `stop` use it, and `status`, `doctor` and `configure` say who declared it and how to restart it.
  // Behaviour 209: After an upgrade, `restart` replaces the daemon with one of the new release, through launchd or
  // systemd if they run it. If root owns the job, as it owns each job that starts at boot, `restart` restarts only
  // the guest, and names the command that restarts the daemon.
  test('a unit that a configuration declares', async () => {
    using rig = await rigOf();
    const state = join(rig.tree, 'state dir');
    const folder = join(rig.tree, 'etc/systemd/system');
    const UNIT = join(folder, 'linuxkit-builder.service');
    mkdirSync(folder, { recursive: true });
    const stored = join(rig.tree, 'stored.service');
    const command = [process.execPath, program.main, 'daemon', '--managed', '--directory', state];
    const text = `[Service]
Environment="LINUXKIT_BUILDER_DIR=${state}"
Environment="LINUXKIT_BUILDER_DECLARED_BY=NixOS"
ExecStart=${command.map((each) => `"${each}"`).join(' ')}
`;
    writeFileSync(stored, text);
    symlinkSync(stored, UNIT);
    const run = (command: string, ...argv: string[]) => rig.runWith({ UNIT }, command, ...argv);
    const told = run('configure', '--autostart', '-c', '1').stdout;
    expect(told).toContain(`The daemon's job is declared by NixOS, so ${UNIT} was not changed.`);
    expect(told).toContain('sudo systemctl restart linuxkit-builder');
    expect(existsSync(rig.unit)).toBe(false);
    expect(run('start').stdout).toMatch(
      /^Started the daemon through systemd, as declared by NixOS /,
    );
    expect(run('status').stdout).toContain('systemd starts it at boot, as declared by NixOS');
    expect(run('doctor').stdout).toMatch(
      /login job: systemd: running \(declared by NixOS in .*restart linuxkit-builder/,
    );
    const pid = () => {
      const found = readStatus(layoutOf(state));
      return found.daemon === 'alive' ? found.status.daemon.pid : expect.fail('no daemon');
    };
    const before = pid();
    const described = join(program.folder, 'package.json');
    const released = readFileSync(described, 'utf8');
    writeFileSync(described, released.replace(/"version": "[^"]*"/, '"version": "99.0.0"'));
    try {
      expect(run('restart', '--now')).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('sudo systemctl restart linuxkit-builder') as string,
      });
    } finally {
      writeFileSync(described, released);
    }
    expect(pid()).toBe(before);
    expect(run('stop').stdout).toMatch(/^Stopped\./);
    expect(run('unconfigure', '--purge', '--yes').stdout).toContain(
      'Left the job that NixOS declares',
    );
    expect(readFileSync(UNIT, 'utf8')).toBe(text);
    expect(rig.calls().filter((call) => !call.includes('show'))).toEqual([
      'start linuxkit-builder.service',
    ]);
  });

  // Behaviour 196: If the program was uninstalled without `unconfigure`, its login job says so once at each login, in
  // its log or in systemd's journal, and exits. `doctor` of the next installation finds that job, and `doctor --fix`
  // repairs or removes it.
  test('a program that is gone is not tried again and again', async () => {
    using rig = await rigOf();
    expect(rig.run('configure', '--autostart').status).toBe(0);
    renameSync(program.main, `${program.main}.away`);
    try {
      const argv = ['--user', 'start', 'linuxkit-builder.service'];
      const env = { ...process.env, UNIT: rig.unit };
      expect(spawnSync(join(rig.bin, 'systemctl'), argv, { env }).status).toBe(0);
      expect(rig.calls().at(-1)).toBe('skipped: ConditionPathExists');
    } finally {
      renameSync(`${program.main}.away`, program.main);
    }
  });

  // Behaviour 195: A login job still starts the daemon after an upgrade of Node or of this program has deleted the
  // old version's directory, because the job uses a path that the package manager keeps. If there is no such path, or
  // if it no longer exists, the job uses the path that was valid when the job was made; `doctor` finds a job whose
  // paths are all gone.
  test('an upgraded Node is started by the name that leads to it', async () => {
    using rig = await rigOf();
    const manager = mkdtempSync(join(tmpdir(), 'Cellar of $HOME-'));
    const node = (version: string) => join(manager, 'Cellar/node', version, 'bin/node');
    const use = (version: string) => {
      mkdirSync(dirname(node(version)), { recursive: true });
      copyFileSync(process.execPath, node(version));
      mkdirSync(join(manager, 'opt'), { recursive: true });
      rmSync(join(manager, 'opt/node'), { force: true });
      symlinkSync(join(manager, 'Cellar/node', version), join(manager, 'opt/node'));
    };
    try {
      use('1');
      const configured = rig.runBy(node('1'), 'configure', '--autostart');
      expect(configured.status).toBe(0);
      expect(readFileSync(rig.unit, 'utf8')).toContain('/opt/node/bin/node');
      use('2');
      removeTree(dirname(node('1')));
      expect(rig.runBy(node('2'), 'start').stdout).toMatch(/through systemd \(pid \d+/);
    } finally {
      rig.run('stop');
      removeTree(manager);
    }
  });

  test('a Node that became too old for the program is passed over for the one that it had', async () => {
    using rig = await rigOf();
    const manager = mkdtempSync(join(tmpdir(), 'Cellar-'));
    const opt = join(manager, 'opt/node');
    const node = join(manager, 'Cellar/node/1/bin/node');
    const old = join(manager, 'Cellar/node/0/bin/node');
    try {
      for (const path of [node, old, opt]) mkdirSync(dirname(path), { recursive: true });
      copyFileSync(process.execPath, node);
      symlinkSync(join(manager, 'Cellar/node/1'), opt);
      expect(rig.runBy(node, 'configure', '--autostart').status).toBe(0);
      rmSync(opt);
      writeFileSync(old, '#!/bin/sh\nexit 69\n', { mode: 0o755 });
      symlinkSync(join(manager, 'Cellar/node/0'), opt);
      expect(rig.runBy(node, 'start').stdout).toMatch(/through systemd \(pid \d+/);
    } finally {
      rig.run('stop');
      removeTree(manager);
    }
  });

  // The release before wrote units without the flag that says who starts the daemon.
  test(
    'a daemon that an older unit starts lives on as one that systemd keeps',
    needs('Linux'),
    async () => {
      using rig = await rigOf();
      expect(rig.run('configure').status).toBe(0);
      writeFileSync(join(rig.tree, 'state dir/config.json'), '{"cpus":"many"}');
      // The name of the program is what counts.
      const systemd = join(rig.bin, 'systemd');
      copyFileSync('/bin/sh', systemd);
      const argv = ['-c', 'INVOCATION_ID=x "$0" "$@"; exit $?', process.execPath, program.main];
      const keeper = rig.begin(systemd, [...argv, 'daemon']);
      const ended = once(keeper, 'exit');
      let said = '';
      await new Promise<void>((resolve) =>
        keeper.stderr.on('data', (chunk: Buffer) => {
          said += chunk.toString();
          if (said.includes('cpus')) resolve();
        }),
      );
      // It answers, and is not about to end.
      expect(rig.run('stop').stdout).toBe('Stopped.\n');
      expect(await ended).toEqual([0, null]);
    },
  );

  // Behaviour 194: A daemon started by hand exits if its settings are wrong, even if the terminal has variables that
  // launchd or systemd sets for its jobs. A daemon started by launchd or systemd keeps running, and reports what is
  // wrong.
  test('a daemon by hand is none of systemd’s, in a terminal that is', async () => {
    using rig = await rigOf();
    expect(rig.run('configure').status).toBe(0);
    writeFileSync(join(rig.tree, 'state dir/config.json'), '{"cpus":"many"}');
    const inherited = { INVOCATION_ID: '0123', XPC_SERVICE_NAME: 'application.com.example.1.2' };
    const ran = rig.runWith(inherited, 'daemon');
    expect([ran.status, ran.stderr]).toEqual([78, expect.stringContaining('cpus')]);
  });
});
