/** Makes what is sabotaged: the program from a changed copy of its source, or an image whose guest has a changed script. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cpioArchive, paddingTo, S_IFREG } from '../../src/system/cpio.ts';
import type { RigOptions } from '../real/rig.ts';
import { changed, type Change, type Sabotage } from './sabotages.ts';

const rootfs = 'image/rootfs/root/';

/** What a rig needs to have that sabotage in it. folder: an empty one, in the checkout for its packages. */
export function sabotaged(
  { changes }: Sabotage,
  { checkout, image, folder }: { checkout: string; image: string; folder: string },
): RigOptions {
  const inGuest = changes.filter(({ file }) => file.startsWith(rootfs));
  return inGuest.length > 0
    ? { configure: ['--bundle', sabotagedImage(inGuest, { checkout, image, folder })] }
    : { program: sabotagedProgram(changes, { checkout, folder }) };
}

/** Built as the real one is, by the same script. */
function sabotagedProgram(
  changes: readonly Change[],
  { checkout, folder }: { checkout: string; folder: string },
): string {
  cpSync(join(checkout, 'src'), join(folder, 'src'), { recursive: true });
  copyFileSync(join(checkout, 'package.json'), join(folder, 'package.json'));
  for (const change of changes) {
    const path = join(folder, 'src', change.file);
    writeFileSync(path, changed(readFileSync(path, 'utf8'), change));
  }
  mkdirSync(join(folder, 'dist'));
  execFileSync(process.execPath, [join(checkout, 'scripts/build.js')], { cwd: folder });
  return join(folder, 'dist/main.js');
}

/**
 * The image with an archive behind its initrd: of two files of one name the kernel takes the later. That one is stage 1, which
 * puts the changed scripts over those of the root before it goes there.
 */
function sabotagedImage(
  changes: readonly Change[],
  { checkout, image, folder }: { checkout: string; image: string; folder: string },
): string {
  const source = (file: string) => readFileSync(join(checkout, 'src', file), 'utf8');
  const texts = new Map<string, string>();
  for (const change of changes)
    texts.set(change.file, changed(texts.get(change.file) ?? source(change.file), change));
  const scripts = [...texts].map(([file, text]) => ({
    path: `sabotaged-${basename(file)}`,
    target: `/new/${file.slice(rootfs.length)}`,
    text,
  }));
  const copies = scripts.map(({ path, target }) => `/bin/busybox cp /${path} ${target}\n`).join('');
  const stage1 = 'image/rootfs/initrd/init';
  const last = 'exec switch_root';
  const init = changed(source(stage1), { file: stage1, from: last, to: `${copies}${last}` });
  const prefix = join(folder, 'builder');
  mkdirSync(dirname(prefix), { recursive: true });
  for (const part of ['kernel', 'initrd.img', 'cmdline'])
    copyFileSync(`${image}-${part}`, `${prefix}-${part}`);
  appendArchive(`${prefix}-initrd.img`, [{ path: 'init', text: init }, ...scripts]);
  return prefix;
}

function appendArchive(
  initrd: string,
  files: readonly { readonly path: string; readonly text: string }[],
): void {
  const archive = cpioArchive(
    files.map(({ path, text }) => ({ path, mode: S_IFREG | 0o755, data: Buffer.from(text) })),
  );
  const padding = Buffer.alloc(paddingTo(readFileSync(initrd).length, 512));
  appendFileSync(initrd, Buffer.concat([padding, archive]));
}
