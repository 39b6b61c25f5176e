/** Whoever has root in the guest, and whoever only builds there: neither steers the host, and who builds does not reach it. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fact } from './command.ts';
import { nixBuild } from './nix-client.ts';
import { BuilderRig } from './rig.ts';

/** A service without a password, as many stand on a developer's loopback. */
async function service(host: string, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).end('secret\n'));
  server.listen(port, host);
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** A fixed-output derivation, which has the guest's network, that succeeds when its shell finds each address as is said. */
const fetcher = (found: readonly string[]) => `derivation {
  name = "fetcher"; system = builtins.currentSystem; builder = "/bin/sh";
  outputHashMode = "flat"; outputHashAlgo = "sha256";
  outputHash = "${createHash('sha256').update(found.join('\n')).digest('hex')}";
  requiredSystemFeatures = [ "linuxkit-builder" ];
  args = [ "-c" ''
    try() {
      said=$( { exec 3<>/dev/$1 && { case $1 in udp*) echo . >&3 ;; *) read -r -t 30 word <&3 ;; esac; } && echo open; } 2>&1 )
      case $said in open) echo "$1 open" ;; *"Permission denied"*) echo "$1 closed" ;; *) echo "$1 nowhere" ;; esac
    }
    all=$(for address in ${found.map((each) => each.split(' ')[0]).join(' ')}; do try $address; done)
    echo "$all" >&2
    printf %s "$all" >$out
  '' ];
}
`;

/** What a terminal obeys. */
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202e]/;
const hostile = String.raw`\033]0;OWNED\007\033[2J\033[H\033[32mReady to build.\302\2332J`;

/** A nix-daemon that greets as 1.38 and refuses the question, in words that are meant for a terminal. */
const falseNix = `#!/bin/sh
word() { printf '%b' "$1"; }
zero='\\0000\\0000\\0000\\0000'
word "oixd$zero\\046\\001\\0\\0$zero"; word "\\06\\0\\0\\0$zero"'2.26.3\\0\\0'; word "\\01\\0\\0\\0$zero"; word "stla$zero"
word "ptxc$zero"; word "\\05\\0\\0\\0$zero"'Error\\0\\0\\0'; word "$zero$zero$zero$zero"
word "\\0110\\0\\0\\0$zero"; printf '${hostile}%-100s' ' ' | head -c 72
word "$zero$zero$zero$zero"
exec sleep 600
`;

/** An agent that gets in step and then answers every question with a refusal that is nested twenty thousand deep. */
const falseAgent = `#!/usr/bin/bash-static
while [ $# -gt 0 ]; do [ "$1" = --path ] && port=$2; shift; done
deep=$(printf '[%.0s' {1..20000})$(printf ']%.0s' {1..20000})
exec 3<>"$port"
while read -r line <&3; do
  case $line in
    *guest-sync-delimited*) id=\${line##*:}; printf '\\xff{"return": %s}\\n' "\${id//[^0-9]/}" >&3 ;;
    *) printf '{"error": %s}\\n' "$deep" >&3 ;;
  esac
done
`;

// Behaviour 175: Builds with a network, such as those that download a source (fixed-output derivations), cannot reach
// the host's loopback interface, by IPv4 or IPv6, except for the ports in `hostPorts`. If `buildsReachLan` is `false`,
// they cannot reach private networks (10/8, 172.16/12, 192.168/16 and 100.64/10) either. Root in the guest can reach
// all of these.
// Behaviour 174: No line on the console, whoever wrote it, is enough to make the daemon stop a guest that was ready:
// the daemon first checks with the guest itself whether the line is true. While the guest is booting, such a line
// alone is enough.
test('neither a build nor root in the guest does more than it may', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const closed = await service('127.0.0.1');
  const closed6 = await service('::1', closed.port);
  const named = await service('127.0.0.1');
  const settings = JSON.parse(readFileSync(rig.layout.config, 'utf8')) as object;
  const more = { hostPorts: [named.port], buildsReachLan: false };
  writeFileSync(rig.layout.config, JSON.stringify({ ...settings, ...more }));
  await rig.up();
  const asRoot = async (command: string) =>
    (await rig.cli('ssh', '--root', '--', command)).stdout.trim();
  const put = async (path: string, text: string) => {
    const words = Buffer.from(text).toString('base64');
    await asRoot(
      `echo ${words} | busybox base64 -d >/run/put && chmod 755 /run/put && mv /run/put ${path}`,
    );
  };

  const words = [
    `tcp/10.0.2.2/${closed.port} closed`,
    `tcp/10.0.2.9/${closed.port} closed`,
    `tcp/10.0.2.2/${named.port} open`,
    `tcp/fec0::2/${closed.port} nowhere`,
    'tcp/192.168.3.4/80 closed',
    'tcp/169.254.169.254/80 closed',
    'udp/10.0.2.3/54 closed',
    'udp/10.0.2.3/53 open',
  ];
  const file = join(rig.dir, 'fetcher.nix');
  writeFileSync(file, fetcher(words));
  const built = nixBuild(rig, file);
  expect(await built.ended, built.said).toBe(0);
  for (const { server } of [closed, closed6, named]) server.close();

  const names =
    'kernel/kptr_restrict kernel/kexec_load_disabled kernel/yama/ptrace_scope fs/protected_fifos fs/protected_regular';
  expect(await asRoot(`cd /proc/sys; cat ${names}`)).toBe('1\n1\n1\n1\n1');
  const login = rig.ssh('mkdir -p ~/.cache/nix && echo "made $HOME"');
  expect(await login.ended, login.said).toBe(0);
  const forward = rig.run([
    'ssh',
    '-F',
    rig.layout.sshConfig,
    '-W',
    '127.0.0.1:22',
    'nix-linuxkit',
  ]);
  expect(await forward.ended).toBe(255);
  expect(forward.stdout).toBe('');

  await asRoot('echo "linuxkit-builder: failed=disk-foreign uptime=1 reason=x" >/dev/console');
  await fact('the line is a note', () =>
    rig.log('guest-notes').some((line) => line['name'] === 'disk-foreign'),
  );
  const { vmPid, daemon } = await rig.reaches('ready');

  await put('$(which qemu-ga)', falseAgent);
  await asRoot('kill $(pidof qemu-ga)');
  await rig.untilStatus('the agent is of no use', ({ health }) => health === 'slow');
  await put('$(which nix-daemon)', falseNix);
  const { login: last } = await rig.untilStatus('Nix refuses', (now) =>
    JSON.stringify(now.login ?? '').includes('Ready to build.'),
  );
  expect(JSON.stringify(last)).not.toMatch(obeyed);
  for (const command of ['status', 'doctor', 'logs', 'console']) {
    const { stdout, said } = await rig.cli(command);
    expect(`${stdout}${said}`.match(obeyed)?.[0], command).toBeUndefined();
  }
  expect(readFileSync(rig.layout.status, 'utf8').trimEnd()).not.toMatch(obeyed);
  expect(await rig.reaches('ready')).toMatchObject({ vmPid, daemon });
  expect(await rig.cli('stop', '--now')).toMatchObject({ end: 0 });
  await rig.leavesNothing();
});
