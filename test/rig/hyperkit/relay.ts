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

const script = (says: string) => `#!/bin/sh
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
echo ready >${says}
wait
`;

const hook = `cat /rig/relay >/new/usr/lib/rig-relay
chmod 755 /new/usr/lib/rig-relay
echo '::respawn:/usr/lib/rig-relay' >>/new/etc/inittab
`;

/** Ports of this host that lead to the relay's, by the relay's: of QEMU's `info usernet`. */
export const forwardedPorts = (usernet: string): ReadonlyMap<number, number> =>
  new Map(
    [...usernet.matchAll(/TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)/g)].map(
      ([, host, inside]) => [Number(inside), Number(host)],
    ),
  );

/** Goes behind an initrd of that size; `init` is the text of the image's own. `says`: where the relay says that it listens. */
export function relayArchive(init: string, initrdBytes: number, says = '/dev/ttyS1'): Buffer {
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
    file('rig/relay', script(says)),
  ]);
  return Buffer.concat([Buffer.alloc(paddingTo(initrdBytes, 512)), archive]);
}
