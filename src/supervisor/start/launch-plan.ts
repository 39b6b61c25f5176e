/** From a config to what will be run: which programs, with which words. */
import type { Config } from '../../config/config.ts';
import type { Network } from '../../domain/guest-network.ts';
import type { Layout } from '../../config/layout.ts';
import type { Problem } from '../../domain/problem.ts';
import { userNetwork, type Chosen } from '../../net/networks.ts';
import { cardUuid } from '../../net/vpnkit.ts';
import type { Launch } from '../../system/process/child.ts';
import type { BootImage, BootParts } from '../../vm/boot-image.ts';
import type { Abilities, Accelerator, VmDriver } from '../../vm/vm-driver.ts';

interface PlanOptions {
  readonly config: Config;
  readonly layout: Layout;
  readonly driver: VmDriver;
  /** Absolute path of the VM program. */
  readonly program: string;
  readonly network: Chosen;
  readonly bundle: BootImage;
  /** Absent: it boots none. */
  readonly parts?: BootParts;
  /** The bundle's own kernel command line. */
  readonly cmdline: string;
  readonly accelerator: Accelerator;
  /** What the VM program says that it can do; absent where it was not asked. */
  readonly abilities?: Abilities | undefined;
}

/** Both children of one start, before anything has run. */
export interface LaunchPlan {
  readonly vm: Launch;
  /** Undefined when the VM program makes the network itself. */
  readonly network: Launch | undefined;
  /** What the VM program would not take. */
  readonly problems: readonly Problem[];
}

/** The network that the chosen program gives; the VM program's own without one. */
export function networkOf(chosen: Chosen, { layout }: Pick<PlanOptions, 'layout'>): Network {
  if (chosen === undefined) return userNetwork;
  const { driver, link } = chosen;
  return driver.network({ layout, link, uuid: cardUuid(layout) });
}

/** The launches of one start: the same for the same config, files and programs. */
export function planOf(options: PlanOptions): LaunchPlan {
  const { layout, driver, network: chosen } = options;
  const uuid = cardUuid(layout);
  const network = networkOf(chosen, options);
  const input = { ...options, network, uuid };
  return {
    vm: driver.plan(input),
    network: chosen?.driver.plan({ ...chosen, layout, uuid }),
    problems: driver.problems(input),
  };
}
