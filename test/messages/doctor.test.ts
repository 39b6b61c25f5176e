import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import type { CliContext } from '../../src/command/context.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { judgeDoor, judgeLoopback, withoutPort } from '../../src/doctor/check-door.ts';
import { givenBack } from '../../src/doctor/check-give-back.ts';
import { lifeChecks } from '../../src/doctor/check-life.ts';
import { listRemedy, nixChecks, noConflict, onlyByRoot } from '../../src/doctor/check-nix.ts';
import { runChecks, type Check, type CheckVerdict } from '../../src/doctor/check-runner.ts';
import {
  findingLines,
  reportWritten,
  skippedLines,
  summary,
} from '../../src/doctor/doctor-command.ts';
import type { DoctorFacts } from '../../src/doctor/facts.ts';
import { SshAsker } from '../../src/nix/ssh/ask-ssh.ts';
import { machineChecks, settingsWords } from '../../src/doctor/host/check-host.ts';
import { nodeTranslated } from '../../src/system/host/translated.ts';
import { checkNode, opensshFirst } from '../../src/doctor/host/check-programs.ts';
import { keysFact } from '../../src/doctor/host/check-state.ts';
import { partUnread } from '../../src/doctor/report/report.ts';
import { systemPathsOf } from '../../src/host/system-paths.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { ready } from './command-rig.ts';
import { directoryShownAs, shownAs, tells } from './tell.ts';
import { plainly, type Text } from '../../src/system/advice.ts';
import { detectNix, type NixVariant } from '../../src/nix/variant.ts';

const tree = directoryShownAs('/tree');
const layout = layoutOf(join(tree, 'builder'));
const good = { kind: 'good', fact: 'it is so' } as const;
const bad = {
  kind: 'bad',
  code: 'keys-open',
  what: 'It is not.',
  why: 'So it is.',
  remedy: 'Do this.',
} as const;

const config = {
  system: 'x86_64-linux',
  mandatoryFeatures: [],
  door: 'tcp',
  port: 24083,
  cpus: 4,
  memoryMiB: 4096,
};

/** A program that prints this and ends so. */
function program(prints: string, code = 0): string {
  const path = join(tree, `bin/${Buffer.from(prints).toString('hex').slice(-40)}-${code}`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho '${prints}'\nexit ${code}\n`, { mode: 0o755 });
  return path;
}

interface Found {
  readonly status?: Partial<Status>;
  readonly gone?: true;
  readonly unheard?: true;
  readonly program?: string;
  readonly missing?: readonly string[];
  readonly nix?: NixVariant;
}

/** What `doctor` looks at, of a daemon that says so. */
function facts({ status = {}, gone, unheard, missing = [], ...more }: Found = {}): DoctorFacts {
  const record: Status = { ...ready, ...status };
  const context: Partial<CliContext> = {
    env: { LINUXKIT_BUILDER_TREE: tree, PATH: '' },
    home: tree,
    assets: tree,
    clock: new FakeClock(),
    signal: new AbortController().signal,
    err: () => undefined,
  };
  const path = more.program ?? program('');
  // One cast each: the checks that are asked take no more of them.
  return {
    layout,
    context: context as CliContext,
    tree,
    systemPaths: systemPathsOf(tree),
    asker: new SshAsker(new AbortController().signal),
    config: () => config as never,
    driver: () =>
      ({ name: 'qemu', program: () => 'qemu', row: { versionFlag: '--version' } }) as never,
    find: () =>
      Promise.resolve(
        gone === true
          ? { daemon: 'gone', last: undefined }
          : { daemon: 'alive', status: record, heard: unheard !== true },
      ),
    status: () => record,
    nix: () => Promise.resolve(more.nix),
    program: () => path,
    tryProgram: (name) => (missing.includes(name) ? undefined : path),
  };
}

const aNix = (changes: Partial<NixVariant>): NixVariant => {
  const found = detectNix(tree, 'nix (Nix) 2.31.0', 'linux');
  if (found === undefined) throw new Error('it was said which Nix it is');
  return { ...found, ...changes };
};

const linesOf = (verdict: CheckVerdict, name = 'check') => findingLines({ name, ...verdict });

/** What one check says. */
async function said(checks: readonly Check[], name: string): Promise<readonly Text[]> {
  const check = checks.find((each) => each.name === name);
  if (check === undefined) throw new Error(`there is no ${name}`);
  return linesOf(await check.run(), name);
}
const machine = (name: string, found?: Found) => said(machineChecks(facts(found)), name);
const life = (name: string, found?: Found) => said(lifeChecks(facts(found)), name);
const nix = (name: string, found?: Found) => said(nixChecks(facts(found)), name);
/** Without the command that installs it, which is this machine's. */
const without = async (lines: Promise<readonly Text[]>) =>
  (await lines).filter((line) => !plainly(line).includes('-> '));

/** With what listens at the door saying this. */
async function atDoor(
  banner: string | undefined,
  status: Partial<Status> = {},
): Promise<readonly Text[]> {
  const path = join(tree, 'door');
  const server = createServer(
    (socket) => void socket.on('error', () => undefined).end(`${banner ?? ''}\r\n`),
  );
  if (banner !== undefined) await once(server.listen(path), 'listening');
  try {
    return await life('door', { status: { ...status, door: { socket: path, draining: false } } });
  } finally {
    server.close();
  }
}

const qemu = { title: 'QEMU', givesBack: { disk: true } };

tells('doctor', {
  'Its checks': {
    'by name': () =>
      [machineChecks, lifeChecks, nixChecks].flatMap((checks) =>
        checks(facts()).map(({ name }) => name),
      ),
  },
  'At the end': {
    'nothing is wrong': () => summary([{ name: 'a', ...good }]),
    'something is': () =>
      summary([
        { name: 'image', ...bad },
        { name: 'nix', ...bad },
      ]),
    'it works, with less than usual': () =>
      summary([
        {
          name: 'names and caches',
          kind: 'note',
          code: 'cache-unreached-here',
          fact: '',
          why: '',
          isLess: true,
        },
      ]),
    'what was not checked': () =>
      skippedLines([
        { name: 'daemon', kind: 'skipped', because: 'image' },
        { name: 'vm', kind: 'skipped', because: 'image' },
        { name: 'build', kind: 'skipped', because: 'nix' },
      ]),
    'a fix has failed': async () => {
      const fix = () => Promise.reject(new Error('no'));
      const checks = [{ name: 'a', dependsOn: [], run: () => ({ ...bad, fix }) }];
      const nothing = () => undefined;
      const { signal } = new AbortController();
      const found = await runChecks(checks, {
        fix: true,
        signal,
        onBegin: nothing,
        onFinding: nothing,
      });
      return found.flatMap(findingLines);
    },
    'a part of a report cannot be had': () => partUnread,
    'a report was written': () => reportWritten('/home/anna/report.txt'),
  },
  'This machine': {
    'the settings': () => [
      settingsWords(facts().config(), { memoryMiB: 8192, isLimited: false }),
      settingsWords(
        { ...facts().config(), cpus: 1, memoryMiB: 2048, door: 'unix' },
        { memoryMiB: 4096, isLimited: true },
      ),
    ],
    'nothing has been set up': () => machine('settings'),
    'settings that are wrong': async () => {
      mkdirSync(layout.root, { recursive: true, mode: 0o700 });
      writeFileSync(layout.config, '{"port":0}');
      return machine('settings');
    },
    'a program is missing': () => without(machine('programs', { missing: ['ssh'] })),
    'programs are missing': () => without(machine('programs', { missing: ['ssh', 'ps'] })),
    'an old ssh': () => without(machine('versions', { program: program('OpenSSH_7.4p1') })),
    'another ssh': async () => [
      ...(await without(machine('versions', { program: program('dropbear 2022.83') }))),
      opensshFirst,
    ],
    'nothing has been started': () => machine('locks'),
    'locks work': async () => {
      mkdirSync(layout.state, { recursive: true, mode: 0o700 });
      return machine('locks');
    },
    'the state directory is open to others': async () => {
      chmodSync(layout.root, 0o755);
      try {
        return (await machine('state directory')).slice(0, 2);
      } finally {
        chmodSync(layout.root, 0o700);
      }
    },
    'its Node is one for Intel, on Apple silicon': async () => {
      const on = { platform: 'darwin', arch: 'x64', ask: () => Promise.resolve('1\n') };
      shownAs(process.execPath, '/opt/node');
      return linesOf(await checkNode(() => nodeTranslated(on))).slice(1);
    },
    'keys are as they should be': () => keysFact,
    'keys are open to others': async () => {
      mkdirSync(dirname(layout.clientKey), { recursive: true });
      writeFileSync(layout.clientKey, '');
      chmodSync(layout.clientKey, 0o644);
      return machine('keys');
    },
  },
  'The daemon and its children': {
    'the daemon is not running': () => life('daemon', { gone: true }),
    'it does not respond': () => life('daemon', { unheard: true }),
    'the VM has its own network': () => life('network'),
    'the network program is gone': () =>
      life('network', { status: { network: 'gvproxy', networkPid: 2 ** 30 } }),
    'the VM is about to start': () => life('vm', { status: { phase: 'starting' } }),
    'nothing is on the console yet': () => life('console', { status: { phase: 'starting' } }),
    'the guest writes nothing': () => life('console', { status: { phase: 'booting', vmPid: 1 } }),
    'the guest writes': async () => {
      writeFileSync(layout.consoleRing, 'Linux version 6.12');
      return life('console', { status: { phase: 'booting', vmPid: 1 } });
    },
    'how far it is': () =>
      life('console', { status: { phase: 'booting', timeline: [{ name: 'sshd', ms: 1 }] } }),
  },
  'The guest': {
    'it is ready': () => life('guest'),
    'it is not': () =>
      life('guest', { status: { phase: 'failed', sentence: 'Gave up after 5 attempts.' } }),
    'it cannot be asked for its caches': () => life('names and caches'),
    'nobody needs it': () => life('guest', { status: { phase: 'away' } }),
    'its clock is not known': () => life('clock'),
    'its clock is right': () => life('clock', { status: { clockOffsetMs: 3 } }),
    'its clock is wrong': () => life('clock', { status: { clockOffsetMs: -7000 } }),
    'it does not say what it returns': () => life('gives back'),
    'suspending it was given up': () =>
      life('gives back', {
        status: {
          phase: 'away',
          suspendGivenUp: { why: 'QEMU could not suspend the guest: odd.' },
        },
      }),
    'suspending it was given up for a day': () => {
      const suspendGivenUp = { why: 'It is odd.', until: '2026-01-02T03:04:05.000Z' };
      return life('gives back', { status: { suspendGivenUp } });
    },
    'it returns all': () => linesOf(givenBack({ memory: true, disk: true }, qemu)),
    'it returns no memory': () => linesOf(givenBack({ memory: false, disk: true }, qemu)),
    'it returns nothing': () => [
      ...linesOf(givenBack({ memory: false, disk: false }, qemu)),
      ...linesOf(
        givenBack({ memory: false, disk: false }, { ...qemu, givesBack: { disk: false } }),
      ),
    ],
  },
  'The door': {
    'it is a port, and 127.0.0.1 works': () => linesOf(judgeLoopback(undefined)),
    'it is a socket': () => linesOf(withoutPort),
    'another program has its port': () =>
      linesOf(judgeDoor({ kind: 'tcp', port: 24083 }, undefined, 'nc (pid 4711)')),
    'ssh answers': () => atDoor('SSH-2.0-OpenSSH_9.2'),
    'something else does': () => atDoor('HTTP/1.0 400'),
    'nothing does': () => atDoor(undefined),
    'nobody needs the guest': () => atDoor('', { phase: 'away' }),
    'the builder is drained': async () => {
      const status = { door: { port: 1, draining: false, refusing: true } } as const;
      return [...(await life('door', { status })), ...(await nix('build', { status }))];
    },
  },
  Nix: {
    'it is not installed': () => nix('nix'),
    'it does not run': () => nix('nix', { nix: aNix({ broken: 'cannot open libnixmain.so' }) }),
    'it refuses its settings': () =>
      nix('nix settings', {
        nix: aNix({ refused: { whose: 'all', words: "error: 'x' has invalid value 'y'" } }),
      }),
    'nix-build is missing': () => nix('build', { missing: ['nix-build'] }),
    'a build works': () => nix('build'),
    'a build fails': () => nix('build', { program: program('', 3) }),
    'no line names the builder': () => nix('machines line'),
    'no setting is in the way': () => linesOf(noConflict),
    'a builder that Nix refuses, in a variable of nix-daemon': () =>
      listRemedy('NIX_CONFIG in /etc/systemd/system/x', 'sudo systemctl restart nix-daemon'),
    'and in one of your own': () => listRemedy('NIX_CONFIG in your environment', undefined),
    'the list can only be read by root': () => onlyByRoot('/etc/nix/machines', 'permission denied'),
    'a line is malformed': async () => {
      mkdirSync(join(tree, 'etc/nix'), { recursive: true });
      writeFileSync(join(tree, 'etc/nix/machines'), 'ssh://b - - many\n');
      return nix('machines line');
    },
  },
});
