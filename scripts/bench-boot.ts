// A cold start of the guest, beside a kernel that boots nothing but a shell: by the guest's own clock, and by that of who waits for it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpioArchive, S_IFDIR, S_IFREG } from '../src/system/cpio.ts';
import type { Ratio } from './bench-ratio.ts';

export interface BootBench {
  readonly state: string;
  /** PREFIX of the image; busybox is taken out of it. */
  readonly image: string;
  /** PREFIX of one to compare it with, booted by turns. */
  readonly before?: string | undefined;
  readonly cli: (...argv: string[]) => string;
  readonly ratio: Ratio;
}

const rounds = 7;

/** Seconds: since the kernel's start, and since that of the VM process. */
interface Boot {
  readonly sshd: number;
  readonly ready: number;
  readonly waited: number;
}

export async function benchBoot({ state, image, before, cli, ratio }: BootBench): Promise<void> {
  const images = before === undefined ? [image] : [image, before];
  const boots = new Map(images.map((each): [string, Boot[]] => [each, []]));
  const bare: { readonly uptime: number; readonly waited: number }[] = [];
  // The first start formats the disk, and tries the accelerator.
  const { plan } = bootOf(image);
  for (let n = 0; n < rounds; n++) {
    for (const [prefix, all] of boots) all.push(bootOf(prefix).boot);
    bare.push(await bareKernel(plan));
  }
  for (const [prefix, all] of boots) {
    const name = prefix === image ? '' : ', image of before';
    const [floor, waited] = [bare.map(({ uptime }) => uptime), bare.map((each) => each.waited)];
    const userspace = 'a bare kernel’s first userspace';
    const of = (what: keyof Boot) => all.map((each) => each[what]);
    ratio(`kernel start to \`stage=sshd\`${name}`, of('sshd'), floor, 's', userspace, 1.5);
    ratio(`kernel start to \`ready\`${name}`, of('ready'), floor, 's', userspace, 1.8);
    ratio(`VM process to \`ready\`${name}`, of('waited'), waited, 's', userspace, 1.6);
  }

  function bootOf(prefix: string): { readonly boot: Boot; readonly plan: readonly string[] } {
    cli('configure', '--no-root', '-q', '--bundle', prefix);
    cli('start');
    cli('wait');
    const pid = readFileSync(join(state, 'nix-state/qemu.pid'), 'utf8').trim();
    const plan = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const { timeline } = JSON.parse(cli('status', '--json')) as {
      timeline: { name: string; ms: number; uptimeS?: number }[];
    };
    cli('stop');
    const at = (name: string) =>
      timeline.find((seen) => seen.name === name) ?? { ms: NaN, uptimeS: NaN };
    const [sshd, ready] = [at('sshd'), at('ready')];
    const boot = {
      sshd: sshd.uptimeS ?? NaN,
      // From when the host read that line: at most one look at the console (100 ms) after it was written.
      ready: (sshd.uptimeS ?? NaN) + (ready.ms - sshd.ms) / 1000,
      waited: (ready.ms - at('vm-started').ms) / 1000,
    };
    return { boot, plan };
  }

  /** The same program, CPU, memory and kernel as the guest's; an initrd of busybox and a script. */
  async function bareKernel(plan: readonly string[]) {
    const option = (name: string) => [name, plan[plan.indexOf(name) + 1] ?? ''];
    const initrd = join(state, 'bare.img');
    if (!existsSync(initrd)) writeFileSync(initrd, bareInitrd(image));
    const argv = [
      '-nodefaults',
      '-no-user-config',
      '-no-reboot',
      '-display',
      'none',
      '-serial',
      'stdio',
      ...['-machine', '-accel', '-cpu', '-smp', '-m', '-append'].flatMap(option),
      '-kernel',
      `${image}-kernel`,
      '-initrd',
      initrd,
    ];
    const begun = performance.now();
    const vm = spawn(plan[0] ?? '', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let [output, waited] = ['', NaN];
    vm.stdout.setEncoding('latin1').on('data', (text: string) => {
      output += text;
      if (Number.isNaN(waited) && userspace.test(output))
        waited = (performance.now() - begun) / 1000;
    });
    await once(vm, 'close');
    if (Number.isNaN(waited)) throw new Error(`A bare kernel did not start its program: ${output}`);
    return { uptime: Number(userspace.exec(output)?.[1]), waited };
  }
}

const userspace = /UPTIME ([\d.]+)/;

function bareInitrd(image: string): Uint8Array {
  const init = [
    '#!/busybox sh',
    '/busybox mount -t proc proc /proc',
    'read -r up rest < /proc/uptime',
    'echo "UPTIME $up"',
    '/busybox reboot -f',
    '',
  ].join('\n');
  return cpioArchive([
    { path: 'proc', mode: S_IFDIR | 0o755 },
    { path: 'dev', mode: S_IFDIR | 0o755 },
    { path: 'busybox', mode: S_IFREG | 0o755, data: busyboxOf(image) },
    { path: 'init', mode: S_IFREG | 0o755, data: Buffer.from(init) },
  ]);
}

/** Out of the image's own initrd: a newc archive (110-byte headers in hex, everything padded to 4). */
function busyboxOf(image: string): Buffer {
  const initrd = readFileSync(`${image}-initrd.img`);
  for (let at = 0; ;) {
    const field = (n: number) =>
      parseInt(initrd.toString('latin1', at + 6 + 8 * n, at + 14 + 8 * n), 16);
    const [size, nameSize] = [field(6), field(11)];
    const data = (at + 110 + nameSize + 3) & ~3;
    if (initrd.toString('latin1', at + 110, at + 109 + nameSize) === 'bin/busybox')
      return initrd.subarray(data, data + size);
    at = (data + size + 3) & ~3;
  }
}
