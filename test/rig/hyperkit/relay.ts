/**
 * The rig's own part of the guest: a second network card, of which the guest's scripts know nothing, and a relay from TCP ports
 * there to vsock ports of the guest itself. It rides behind the seed as one more archive, whose /init takes the place of
 * the image's and differs from it by one line.
 */
import { cpioArchive, paddingTo, S_IFDIR, S_IFREG } from '../../../src/system/cpio.ts';
import { relayMac } from './guest.ts';

/** TCP port of the relay by vsock port. */
export const relayPorts: ReadonlyMap<number, number> = new Map([
  [22, 7022],
  [1024, 8024],
]);

const script = `#!/bin/sh
exec >/dev/null 2>&1
for path in /sys/class/net/*; do
  read -r mac <"$path/address"
  [ "$mac" = ${relayMac} ] && card=\${path##*/} && break
done
ip addr add 10.99.0.15/24 dev "$card"
ip link set "$card" up
${[...relayPorts].map(([vsock, tcp]) => `socat -b 65536 TCP-LISTEN:${tcp},reuseaddr,fork,nodelay VSOCK-CONNECT:1:${vsock} &`).join('\n')}
${[...relayPorts.values()].map((tcp) => `until grep -q ':${tcp.toString(16).toUpperCase()} .* 0A ' /proc/net/tcp; do usleep 20000; done`).join('\n')}
until [ -e /sys/module/vsock_loopback ]; do usleep 20000; done
echo ready >/dev/ttyS1
wait
`;

const hook = `cat /rig/relay >/new/usr/lib/rig-relay
chmod 755 /new/usr/lib/rig-relay
echo '::respawn:/usr/lib/rig-relay' >>/new/etc/inittab
`;

/** Goes behind an initrd of that size; `init` is the text of the image's own. */
export function relayArchive(init: string, initrdBytes: number): Buffer {
  const last = 'exec switch_root';
  if (!init.includes(last)) throw new Error(`the image's init does not say ${last}`);
  const file = (path: string, text: string) => ({
    path,
    mode: S_IFREG | 0o755,
    data: Buffer.from(text),
  });
  const archive = cpioArchive([
    file('init', init.replace(last, `${hook}${last}`)),
    { path: 'rig', mode: S_IFDIR | 0o755 },
    file('rig/relay', script),
  ]);
  return Buffer.concat([Buffer.alloc(paddingTo(initrdBytes, 512)), archive]);
}
