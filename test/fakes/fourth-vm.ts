/** A VM program that the project does not know: a row and a driver, and nothing else. Its program is a shell that says a line and waits. */
import type { VmProgram } from '../../src/domain/vm-programs.ts';
import type { VmDriver } from '../../src/vm/vm-driver.ts';

export const fourthRow: VmProgram = {
  title: 'Fourth',
  hosts: ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'],
  guests: 'native',
  accelerators: ['tcg'],
  links: ['own', 'vfkit-dgram'],
  console: { form: 'append', device: { 'x86_64-linux': 'hvc3', 'aarch64-linux': 'hvc3' } },
  agent: 'vsock',
  ssh: 'network',
  bootsParts: false,
  pausesOnFullDisk: false,
  givesBack: { memory: [], disk: false },
  suspends: [],
  rebootsInPlace: true,
  maxCpus: 3,
  versionFlag: 'version',
};

export const fourth: VmDriver = {
  name: 'fourth',
  row: fourthRow,
  program: () => 'fourth-vm',
  problems: () => [],
  plan: ({ program, config, layout, cmdline, network }) => ({
    program,
    argv: [
      layout.kernel,
      layout.initrd,
      layout.disk,
      `${cmdline} console=${fourthRow.console.device[config.system]} linuxkit-builder.vm=fourth`,
      network.attachment?.socket ?? 'own',
      layout.consoleRing,
    ],
    env: { PATH: '/usr/bin:/bin' },
    cwd: layout.state,
  }),
  stale: ({ state }) => [`${state}/fourth.sock`],
  attach: () =>
    Promise.resolve({
      tunnel: { kind: 'tcp', host: '127.0.0.1', port: 1 },
      powerOff: () => Promise.resolve(),
      resume: () => Promise.resolve(),
      diskOperations: () => Promise.resolve(0),
      describe: () => Promise.resolve({}),
      reason: () => undefined,
      close: () => undefined,
    }),
};
