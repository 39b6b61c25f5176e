/** The programs that a daemon runs with these settings: where its PATH leads, and what the garbage collector has to leave. */
import type { Config } from '../config/config.ts';
import { networksOf } from '../domain/vm-programs.ts';
import { tryProgram } from '../system/process/find-program.ts';
import { hostHere } from '../vm/choose-vm.ts';
import type { VmDriver } from '../vm/vm-driver.ts';
import { vmDrivers } from '../vm/vm-drivers.ts';

/** Absolute paths of those that are installed, as this PATH names them. */
export function jobPrograms(
  config: Config,
  path: string | undefined,
  { host } = hostHere(),
): string[] {
  // Where it is left open, each start takes what serves.
  const here = Object.values(vmDrivers).filter(({ row }) => row.hosts.includes(host));
  const drivers = config.vm === 'auto' ? here : [vmDrivers[config.vm]];
  const guests = drivers.flatMap((each) => [
    each.program(config),
    ...networkPrograms(each, config),
  ]);
  const names = new Set([...guests, 'ssh', 'ps', 'flock', 'cat']);
  return [...names].flatMap((name) => tryProgram(name, path) ?? []);
}

/** Where it is left open, a start takes the first that is there; `user` is the VM program's own, and always there. */
function networkPrograms({ row }: VmDriver, { network }: Config): readonly string[] {
  const names = network === 'auto' ? networksOf(row) : [network];
  const own = names.indexOf('user');
  return own === -1 ? names : names.slice(0, own);
}
