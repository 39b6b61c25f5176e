import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identify } from '../../src/system/process/process.ts';
import { fact } from './command.ts';
import { HyperkitRig } from './hyperkit-rig.ts';
import { NameServer } from './name-server.ts';
import { builtText, nixBuild } from './nix-client.ts';
import { worldsPossible } from './private-world.ts';
import type { BuilderRig } from './rig.ts';

let hyperkit: HyperkitRig;
beforeAll(async () => {
  hyperkit = await HyperkitRig.create();
});
afterAll(() => hyperkit[Symbol.dispose]());

test('HyperKit and VPNKit: ready, a real build through the door over vsock, stopped in order', async (context) => {
  await using rig = await hyperkit.builder(context);
  await rig.up();
  const status = await rig.reaches('ready');
  expect(status).toMatchObject({ network: 'vpnkit', builder: { vm: 'hyperkit' } });
  expect(identify(status.vmPid ?? 0)?.program).toBe('hyperkit');
  expect(identify(status.networkPid ?? 0)?.program).toBe('vpnkit');
  expect(status.tunnelPort).toBeUndefined();
  expect(readFileSync(rig.layout.pid('hyperkit'), 'utf8').trim()).toBe(String(status.vmPid));
  expect((await rig.cli('status')).stdout).toMatch(/network +vpnkit pid/);

  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended).toBe(0);
  const kernel = await rig.cli('ssh', '--', 'uname -r');
  expect(builtText(rig, build)).toContain(`Linux version ${kernel.stdout.trim()} `);
  const cards = await rig.cli(
    'ssh',
    '--',
    'cat /sys/class/net/eth0/address; ip -4 -o addr show eth0',
  );
  expect(cards.stdout).toMatch(/^02:50:00:00:00:0\d\n/);
  expect(cards.stdout).toContain('192.168.65.3/24');

  // What leads sshd's port to vsock is the last thing to be ended for want of memory.
  const scores = String.raw`for pid in $(pidof socat); do
    tr '\0' ' ' </proc/$pid/cmdline
    cat /proc/$pid/oom_score_adj
  done`;
  expect((await rig.cli('ssh', '--root', '--', scores)).stdout).toMatch(
    /VSOCK-LISTEN:22\S* \S+ -1000\n/,
  );

  // Who the guest's card is to VPNKit, which hangs its address on that: the same in each start's words.
  const card = readFileSync(rig.layout.vpnkitUuid, 'utf8');
  const uuidOf = (pid: number | undefined) =>
    /uuid=([0-9a-f-]+)/.exec(readFileSync(`/proc/${pid ?? 0}/cmdline`, 'utf8'))?.[1];
  expect(uuidOf(status.vmPid)).toBe(card);
  expect((await rig.cli('restart')).end).toBe(0);
  const next = await rig.untilStatus(
    'another VM that is ready',
    ({ phase, vmPid }) => phase === 'ready' && vmPid !== status.vmPid,
  );
  expect(uuidOf(next.vmPid)).toBe(card);
  expect(readFileSync(rig.layout.vpnkitUuid, 'utf8')).toBe(card);

  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(rig.log('vm-ended').at(-1)?.['asked']).toBe(true);
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  await rig.leavesNothing();
  for (const path of [
    rig.layout.vsock,
    rig.layout.tty,
    rig.layout.pid('hyperkit'),
    rig.layout.pid('vpnkit'),
  ])
    expect(existsSync(path), path).toBe(false);
});

test('HyperKit and VPNKit: the guest reaches its gateway, names and the host', async (context) => {
  await using rig = await hyperkit.builder(context);
  await rig.up();
  const server = createHttpServer((_, response) => response.end('words of the host')).listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const guest = await rig.cli(
    'ssh',
    '--root',
    '--',
    `ping -c 1 -W 5 192.168.65.1; nslookup gateway.containers.internal; wget -qO- http://192.168.65.2:${port}/`,
  );
  server.close();
  expect(guest.stdout).toContain('1 packets received');
  expect(guest.stdout).toMatch(/Server:\s+192\.168\.65\.1/);
  expect(guest.stdout).toContain('192.168.127.1');
  expect(guest.stdout).toContain('words of the host');
});

test('the console ring is wrapped several times: every line is in the log, once', async (context) => {
  await using rig = await hyperkit.builder(context);
  await rig.up();
  expect(lstatSync(rig.layout.consoleRing).size).toBe(65_536);
  // A silent ring is read every 5 s (ring-pace.ts): one that is to lose nothing has been written to meanwhile.
  const script = `
    for n in $(seq 7); do echo "the ring is read" >/dev/console; sleep 1; done
    for n in $(seq 6000); do echo "round trip number $n of the ring"; done >/dev/console`;
  expect((await rig.cli('ssh', '--root', '--', script)).end).toBe(0);
  await fact('the last line', () => rig.console().includes('number 6000 of'));
  const numbers = [...rig.console().matchAll(/round trip number (\d+) of the ring/g)];
  expect(numbers.map(([, n]) => Number(n))).toEqual(Array.from({ length: 6000 }, (_, n) => n + 1));
  expect(rig.console()).not.toContain('bytes lost');
});

test('HyperKit with gvproxy: its own address, and a way out', async (context) => {
  await using rig = await hyperkit.builder(context, { network: 'gvproxy' });
  await rig.up();
  const guest = await rig.cli(
    'ssh',
    '--root',
    '--',
    'ip -4 -o addr show eth0; ping -c 1 -W 5 192.168.127.1',
  );
  expect(guest.stdout).toContain('192.168.127.2/24');
  expect(guest.stdout).toContain('1 packets received');
  const { networkPid } = await rig.reaches('ready');
  expect(listeningPorts(networkPid ?? 0)).toEqual([]);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(identify(networkPid ?? 0)).toBeUndefined();
  await rig.leavesNothing();
});

// Behaviour 86: A running guest uses the IPv4 name servers of the host's current network, even after the host has
// moved to another network; with QEMU's own network, it uses only the first of them. If the new network has only IPv6
// name servers, the guest has to be restarted.
test('QEMU with gvproxy: the door goes through its socket, no port is opened, and names are asked of the network of now', async (context) => {
  await using rig = await hyperkit.builder(context, { vm: 'qemu', network: 'gvproxy' });
  const resolvConf = join(rig.dir, 'resolv.conf');
  writeFileSync(resolvConf, 'nameserver 127.0.0.11\n');
  // In a namespace of its own the daemon has a resolv.conf of ours.
  const mounting = ['sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolvConf];
  const through = worldsPossible
    ? ['unshare', '--mount', '--propagation', 'private', ...mounting]
    : [];
  await rig.program(['start', '-d', rig.layout.root], { through }).ended;
  const status = await rig.reaches('ready');
  expect(status.network).toBe('gvproxy');
  expect(status.tunnelPort).toBeUndefined();
  for (const pid of [status.networkPid, status.vmPid]) expect(listeningPorts(pid ?? 0)).toEqual([]);
  expect(listeningPorts(status.daemon.pid)).toEqual([rig.port]);
  const guest = await rig.cli('ssh', '--root', '--', 'ping -c 1 -W 5 192.168.127.1');
  expect(guest.stdout).toContain('1 packets received');
  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended).toBe(0);
  if (worldsPossible) await asksTheNewServers(rig, resolvConf);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  await rig.leavesNothing();
});

/** gvproxy reads the host's name servers once; doctor's check goes by them. */
async function asksTheNewServers(rig: BuilderRig, resolvConf: string): Promise<void> {
  // Where the guest reaches this machine's 127.0.0.1.
  const here = '192.168.127.254';
  await using before = await NameServer.on('127.0.0.11', here);
  await using after = await NameServer.on('127.0.0.1', here);
  const cache = createHttpServer((_, answer) => answer.end('StoreDir: /nix/store\n'));
  cache.listen(0, '127.0.0.1');
  await once(cache, 'listening');
  const inGuest = (script: string) => rig.cli('ssh', '--root', '--', script);
  const { port } = cache.address() as AddressInfo;
  const setting = `substituters = http://cache.test:${port}`;
  await inGuest(
    `sed -i '/^substituters/d' /etc/nix/nix.conf; echo '${setting}' >>/etc/nix/nix.conf`,
  );
  const found = async () => {
    const { stdout } = await rig.cli('doctor', '--json');
    const { findings } = JSON.parse(stdout) as { findings: { name: string }[] };
    return findings.find(({ name }) => name === 'names and caches');
  };

  expect(await found()).toMatchObject({ kind: 'good' });
  expect(before.asked).toContain('cache.test');
  expect(after.asked).toEqual([]);
  before.asked.length = 0;

  writeFileSync(resolvConf, 'nameserver 127.0.0.1\n');
  await rig.logged('name-servers-told');
  expect(await found()).toMatchObject({ kind: 'good' });
  // Builds as well, whose users reach nothing else of this machine.
  const asBuild = `busybox su nobody -s /bin/sh -c 'busybox nslookup -type=a build.test ${here}'`;
  expect((await inGuest(asBuild)).stdout).toContain('build.test');
  expect(after.asked).toEqual(expect.arrayContaining(['cache.test', 'build.test']));
  expect(before.asked).toEqual([]);

  cache.closeAllConnections();
  cache.close();
  expect(await found()).toMatchObject({ kind: 'note', isLess: true });
}

describe('what a start would run', () => {
  test('is said as JSON that a program can run', async (context) => {
    await using rig = await hyperkit.builder(context);
    const { stdout } = await rig.cli('daemon', '--dry-run', '--json');
    const plan = JSON.parse(stdout) as Record<'vm' | 'network', { file: string; argv: string[] }>;
    expect(plan.vm.file).toBe(hyperkit.tellable.hyperkit);
    expect(plan.network).toMatchObject({
      file: hyperkit.tellable.vpnkit,
      argv: ['--ethernet', 'fd:3'],
      sockets: [join(rig.layout.state, 'vpnkit_eth.sock')],
    });
    const other = await rig.cli('daemon', '--dry-run', '--vm', 'qemu', '--json');
    expect(JSON.parse(other.stdout)).toMatchObject({ network: null });
    expect((await rig.cli('daemon', '--dry-run', '--vm', 'xhyve')).end).toBe(64);
  });
});

/** TCP ports of IPv4 and IPv6 on which a process listens: proc(5), net/tcp. */
function listeningPorts(pid: number): number[] {
  const fds = `/proc/${pid}/fd`;
  const held = new Set(readdirSync(fds).map((fd) => readlinkSync(join(fds, fd))));
  const rows = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/net/${name}`, 'utf8').split('\n').slice(1),
  );
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(
      ([, , , state, , , , , , inode]) => state === '0A' && held.has(`socket:[${inode ?? ''}]`),
    )
    .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16));
}
