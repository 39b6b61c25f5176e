/** Which network a start gets: the configured one, or the first one of those that go with the VM and are installed. */
import type { Config } from '../config/config.ts';
import type { Network } from '../config/guest-network.ts';
import { networksOf, type NetworkName } from '../config/machine.ts';
import { findProgram, tryProgram } from '../system/program.ts';
import type { NetworkDriver } from './driver.ts';
import { gvproxy, noNetworkProgram } from './gvproxy.ts';
import { vpnkit } from './vpnkit.ts';

export const networkDrivers: readonly NetworkDriver[] = [vpnkit, gvproxy];

/** The network of `-netdev user` (slirp): its defaults, so that nothing has to be passed. */
export const userNetwork: Network = {
  name: 'user',
  guest: {
    address: '10.0.2.15/24',
    gateway: '10.0.2.2',
    nameservers: ['10.0.2.3'],
    // Locally administered; there is one guest a network, so it can be the same everywhere.
    mac: '52:54:00:4c:4b:42',
  },
};

/** A network program and where it is; undefined when the VM program needs none. */
export type Chosen = { readonly driver: NetworkDriver; readonly program: string } | undefined;

/** Failed `program-missing` when what is wanted is not installed. */
export function chooseNetwork(
  { vm, network }: Pick<Config, 'vm' | 'network'>,
  path: string | undefined = process.env['PATH'],
): Chosen {
  if (network !== 'auto') {
    const driver = driverOf(network);
    return driver && { driver, program: findProgram(driver.name, path) };
  }
  const names = networksOf[vm];
  for (const name of names) {
    const driver = driverOf(name);
    if (driver === undefined) return undefined;
    const program = tryProgram(driver.name, path);
    if (program !== undefined) return { driver, program };
  }
  throw noNetworkProgram(names);
}

const driverOf = (name: NetworkName): NetworkDriver | undefined =>
  networkDrivers.find((driver) => driver.name === name);
