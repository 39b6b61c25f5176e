/**
 * Which network a start gets: the configured one; else the first of those that go with the VM, are installed, and have not been
 * found unfit.
 */
import { isIPv4 } from 'node:net';
import type { Config } from '../config/config.ts';
import type { Network } from '../domain/guest-network.ts';
import type { Layout } from '../config/layout.ts';
import {
  linkTo,
  networksOf,
  type Link,
  type NetworkName,
  type VmProgram,
} from '../domain/vm-programs.ts';
import { advice, type Text } from '../system/advice.ts';
import type { Failure } from '../system/failure.ts';
import { versionOf } from '../system/files/stamp.ts';
import { findProgram, tryProgram } from '../system/process/find-program.ts';
import {
  bestOf,
  firstFit,
  isRejection,
  readVerdicts,
  describeRejection,
  tryAgain,
  verdictOn,
  type Lesson,
  type Verdict,
} from '../domain/verdicts.ts';
import type { NetworkDriver } from './network-driver.ts';
import { gvproxy, noNetworkProgram } from './gvproxy.ts';
import { vpnkit } from './vpnkit.ts';

/** In the order in which they are tried. */
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

interface NetworkProgram {
  readonly driver: NetworkDriver;
  readonly program: string;
  /** How the VM program is attached to it. */
  readonly link: Link;
}

/** A network program and where it is, with a sentence for each better one that does not serve; undefined when the VM program needs none. */
export type Chosen = (NetworkProgram & { readonly rejected: readonly Text[] }) | undefined;

/** Whose network it is, and what is here. */
export interface ChooseOptions {
  readonly config: Pick<Config, 'network'>;
  /** Of the VM program that is to be attached. */
  readonly row: Pick<VmProgram, 'title' | 'links'>;
  readonly layout: Layout;
  /** Default: ours. */
  readonly path?: string | undefined;
  /** What is held against what; by default what is written. */
  readonly known?: readonly Verdict[] | undefined;
  /** Path of the VM program; where it is absent its own network counts as one that serves. */
  readonly vmProgram?: string | undefined;
  /** Those that this host asks; where they are absent any network resolves names. */
  readonly nameServers?: readonly string[];
}

/** Failed `program-missing` when what is wanted is not installed. */
export function chooseNetwork(options: ChooseOptions): Chosen {
  const { config, row, layout, path = process.env['PATH'] } = options;
  const { network } = config;
  if (network !== 'auto') {
    const [driver, link] = [driverOf(network), linkTo(row, network)];
    if (driver === undefined || link === undefined) return undefined;
    return { driver, link, program: findProgram(driver.name, path), rejected: [] };
  }
  const { vmProgram, known = readVerdicts(layout.verdicts) } = options;
  const own = vmProgram === undefined ? undefined : verdictOn(ownNetwork(vmProgram), known);
  const isOwn = row.links.includes('own');
  // It makes its own.
  if (isOwn && !isRejection(own)) return insteadOfOwn(options, known);
  const chosen = bestOf(installedFor(options), (each) => verdictOn(wayOf(each), known));
  if (chosen === undefined && isOwn) return undefined;
  if (chosen === undefined) throw noNetworkProgram(row.title, networksOf(row));
  const before = isRejection(own) ? [describeRejection(own)] : [];
  return { ...chosen.way, rejected: [...before, ...chosen.rejected] };
}

/** In place of a VM program's own network that would resolve no names: one that is here and serves; undefined where its own is taken. */
function insteadOfOwn(options: ChooseOptions, known: readonly Verdict[]): Chosen {
  const { nameServers = [] } = options;
  if (nameServers.length === 0 || nameServers.some(isIPv4)) return undefined;
  const { fit } = firstFit(installedFor(options), (each) => verdictOn(wayOf(each), known));
  return fit && { ...fit, rejected: [resolvesNothing] };
}

/** libslirp passes lookups on to the first IPv4 server of the host's resolv.conf (its slirp.c, get_dns_addr). */
const resolvesNothing =
  "user: QEMU's own network forwards name lookups only to an IPv4 name server, and /etc/resolv.conf lists none.";

/** The network that a VM program makes itself, if that build of it does. */
const ownNetwork = (vmProgram: string) =>
  ({ subject: 'network', way: 'user', basis: versionOf(vmProgram) }) as const;

/** One build of that program: what is known of it says nothing of another. */
const wayOf = ({ driver, program }: Omit<NetworkProgram, 'link'>) =>
  ({ subject: 'network', way: driver.name, basis: versionOf(program) }) as const;

/** A program that did not serve, by its own doing. */
export type Unfit = Pick<NetworkProgram, 'driver' | 'program'>;

/**
 * What a failure to serve teaches: a program that nobody has asked for by its name is not taken again in this boot of the host,
 * where another one is here. The failure then names that one.
 */
export function networkLesson(
  failure: Failure,
  failed: Unfit,
  { at, ...options }: ChooseOptions & Pick<Verdict, 'at'>,
): Lesson {
  const { known = readVerdicts(options.layout.verdicts) } = options;
  const others = installedFor(options).filter(({ program }) => program !== failed.program);
  const isAlone = others.length === 0 && !options.row.links.includes('own');
  if (options.config.network !== 'auto' || isAlone) return { failure };
  const verdict: Verdict = { ...wayOf(failed), at, why: failure.message };
  const next = chooseNetwork({ ...options, known: [...known, verdict] });
  if (next?.driver.name === failed.driver.name) return { failure, verdict };
  const name = next?.driver.name ?? `${options.row.title}'s own network`;
  // With that one the VM program serves, and the next attempt may succeed at once.
  const { recovery, vmFault, ...rest } = failure;
  return {
    failure: { ...rest, hint: advice`The next attempt uses ${name}. ${failure.hint}` },
    verdict,
  };
}

/**
 * What a VM program teaches that was built without a network of its own: where nobody has asked for that one by its name and another is
 * here, the same start goes on with it (`network-rejected`).
 */
export function ownNetworkLesson(
  failure: Failure,
  vmProgram: string,
  { at, ...options }: ChooseOptions & Pick<Verdict, 'at'>,
): Lesson {
  const { config, row, layout, known = readVerdicts(layout.verdicts) } = options;
  if (config.network !== 'auto') return { failure };
  // With another network the VM program serves.
  const { vmFault, ...rest } = failure;
  const why = failure.message;
  const verdict: Verdict = { ...ownNetwork(vmProgram), at, why };
  const next = chooseNetwork({ ...options, vmProgram, known: [...known, verdict] });
  if (next === undefined) return { failure };
  const message = `${row.title} has no built-in network here, so this start continues with ${next.driver.name}. ${why}`;
  return { failure: { ...rest, ...otherNetwork, message }, verdict };
}

const otherNetwork = { kind: 'network-rejected', hint: tryAgain, recovery: 'other-way' } as const;

/** Best first. */
const installedFor = ({ row, path = process.env['PATH'] }: ChooseOptions): NetworkProgram[] =>
  networksOf(row).flatMap((name) => {
    const driver = driverOf(name);
    const [program, link] = [tryProgram(name, path), linkTo(row, name)];
    if (driver === undefined || program === undefined || link === undefined) return [];
    return [{ driver, program, link }];
  });

const driverOf = (name: NetworkName): NetworkDriver | undefined =>
  networkDrivers.find((driver) => driver.name === name);
