/** Programs that run the guest and give it its network: their names, and which go together. */
import type { Problem } from './problem.ts';
import { nativeSystem } from './system.ts';

/** Programs that run the guest. */
export const vmNames = ['qemu', 'hyperkit'] as const;
export type VmName = (typeof vmNames)[number];

/** What gives a guest its network; `user` is QEMU's own, the others are programs beside the VM's. */
export const networkNames = ['user', 'vpnkit', 'gvproxy'] as const;
export type NetworkName = (typeof networkNames)[number];

/** The networks that a VM program can be attached to, best first. */
export const networksOf: Readonly<Record<VmName, readonly NetworkName[]>> = {
  qemu: ['user', 'gvproxy'],
  hyperkit: ['vpnkit', 'gvproxy'],
};

/** HyperKit is compiled for so many (VM_MAXCPU in its vmm.h). */
const hyperkitMaxCpus = 64;

/** What does not go together in a config; looks only at fields that are what they should be. */
export function vmProblems(
  { vm = 'qemu', network, system, cpus }: Readonly<Record<string, unknown>>,
  { arch }: { readonly arch: 'x64' | 'arm64' },
): Problem[] {
  const problems: Problem[] = [];
  const bad = (path: string, value: unknown, message: string, hint: string) =>
    problems.push({ path, value, message, hint });
  const name = vmNames.find((each) => each === vm);
  if (name === undefined) return [];
  const networks: readonly unknown[] = networksOf[name];
  if (networkNames.some((each) => each === network) && !networks.includes(network))
    bad(
      'network',
      network,
      `does not go with vm ${name}`,
      `Use ${networks.join(' or ')}, or leave it out.`,
    );
  if (name !== 'hyperkit') return problems;
  if (arch !== 'x64') bad('vm', vm, 'runs on Intel processors only', 'Use qemu, or leave it out.');
  if (system === 'aarch64-linux')
    bad('system', system, 'does not go with vm hyperkit', 'Use qemu, or leave it out.');
  if (typeof cpus === 'number' && cpus > hyperkitMaxCpus)
    bad(
      'cpus',
      cpus,
      `is above HyperKit's ${hyperkitMaxCpus}`,
      `Choose at most ${hyperkitMaxCpus}.`,
    );
  return problems;
}

/** Where an accelerator that is asked for cannot be had. */
export function acceleratorProblems(
  { accelerator, system }: Readonly<Record<string, unknown>>,
  { arch, platform }: { readonly arch: 'x64' | 'arm64'; readonly platform: 'darwin' | 'linux' },
): Problem[] {
  const home = { hvf: 'darwin', kvm: 'linux' }[String(accelerator)];
  if (home === undefined) return [];
  const bad = (message: string) => [
    { path: 'accelerator', value: accelerator, message, hint: 'Use auto.' },
  ];
  if (home !== platform) return bad(`exists on ${home === 'darwin' ? 'macOS' : 'Linux'} only`);
  const own = nativeSystem(arch);
  const isForeign = (system ?? own) !== own;
  return isForeign ? bad(`runs ${own} here, and no ${String(system)}`) : [];
}
