// What a build pays before it begins: one login that asks nix-daemon, by ours and by the old way in the same guest, past the door and through it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { DoorBench } from './bench-door.ts';

const rounds = 11;

/** The program by its path is Nix's own; the name alone is what our image leads to the daemon. */
const oldWay = '?remote-program=/usr/bin/nix-daemon';

export function benchLogin({ state, env, ports, ratio }: Omit<DoorBench, 'dir'>): void {
  const config = join(state, 'ssh_config');
  const run = (program: string, argv: readonly string[], more = {}) => {
    const begun = performance.now();
    execFileSync(program, argv, { env: { ...env, ...more }, stdio: 'ignore' });
    return (performance.now() - begun) / 1000;
  };
  const ask = (port: number, way = '') =>
    run(
      'nix',
      [
        '--extra-experimental-features',
        'nix-command',
        'store',
        'ping',
        '--store',
        `ssh-ng://builder@nix-linuxkit${way}`,
      ],
      { NIX_SSHOPTS: `-F ${config} -p ${port}` },
    );
  const bare = () => run('ssh', ['-F', config, '-p', String(ports.past), 'nix-linuxkit', 'true']);
  const ways = {
    through: () => ask(ports.through),
    past: () => ask(ports.past),
    old: () => ask(ports.past, oldWay),
    bare,
  };
  const times = { through: [], past: [], old: [], bare: [] } as Record<keyof typeof ways, number[]>;
  const names = Object.keys(ways) as (keyof typeof ways)[];
  // The first of each finds nothing in memory.
  for (const name of names) ways[name]();
  for (let n = 0; n < rounds; n++)
    for (const name of n % 2 === 0 ? names : [...names].reverse()) times[name].push(ways[name]());
  const what = 'one login that asks nix-daemon';
  const old = '`/usr/bin/nix-daemon --stdio`, past the door';
  ratio(`${what}, past the door`, times.past, times.old, 's', old, 0.6);
  ratio(`${what}, through the door`, times.through, times.old, 's', old, 0.6);
  ratio(`${what}, past the door`, times.past, times.bare, 's', '`ssh ... true`', 1.5);
}
