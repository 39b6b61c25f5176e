/**
 * What a VM boots: LinuxKit's triple PREFIX-kernel, PREFIX-initrd.img, PREFIX-cmdline, and, when we made it, our manifest and the kernel
 * unpacked.
 */
import { sha256OfFile } from '../system/digest.ts';
import { readRegular } from '../system/files/others-files.ts';
import { refusal } from '../system/files/reasons.ts';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import * as v from 'valibot';
import type { System } from '../domain/guest-system.ts';
import type { VmProgram } from '../domain/vm-programs.ts';
import { Exit, Failed, errorCode, type Recovery } from '../system/failure.ts';
import { advice, ours } from '../system/advice.ts';
import { statsIfThere } from '../system/stats.ts';

/** The files of a bundle; whether they are there is another question. */
export interface BootImage {
  readonly prefix: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly cmdline: string;
  /** Only beside an image of ours. */
  readonly manifest: string;
  /** The kernel unpacked, which the manifest names where there is one. */
  readonly unpacked: string;
}

/** Where the root is in the file of the initrd: the bytes before it, which are an initrd without it, and its squashfs. */
export interface RootPart {
  readonly stage1: number;
  readonly at: number;
  readonly size: number;
}

/** Files of an image in the order in which they take their places: without the kernel there is none, however far that gets. */
export const bundleFiles = ['manifest', 'initrd', 'cmdline', 'unpacked', 'kernel'] as const;

/** Where the files of a prefix are. */
export const bundleAt = (prefix: string): BootImage => ({
  prefix,
  kernel: `${prefix}-kernel`,
  initrd: `${prefix}-initrd.img`,
  cmdline: `${prefix}-cmdline`,
  manifest: `${prefix}-manifest.json`,
  unpacked: `${prefix}-vmlinux`,
});

const bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const file = v.object({ sha256: v.string(), size: v.number() });

const manifestSchema = v.object({
  arch: v.picklist(['amd64', 'arm64']),
  /** Release of the kernel, as uname -r says it. */
  kernelVersion: v.string(),
  /** Hash of each thing that decided the bytes; same inputs, same image. */
  inputs: v.record(v.string(), v.string()),
  /** The suite that is preferred, and the date of the newest index: that of every file in the image. */
  suite: v.string(),
  indexDate: v.string(),
  /** Every suite that packages come from; images of before have none. */
  suites: v.optional(
    v.array(
      v.object({
        codename: v.string(),
        archive: v.string(),
        indexDate: v.string(),
        /** The date until which its index held, which was past. */
        expired: v.optional(v.string()),
      }),
    ),
  ),
  squashfs: v.object({ tool: v.string(), version: v.string(), options: v.array(v.string()) }),
  packages: v.record(v.string(), v.string()),
  files: v.object({ kernel: file, initrd: file, cmdline: file, unpacked: v.optional(file) }),
  /** Where the root is in the initrd; images of before have none. */
  root: v.optional(v.object({ stage1: bytes, at: bytes, size: bytes })),
});

/** What an image is made of and what its files are to the byte. */
export type Manifest = v.InferOutput<typeof manifestSchema>;

/** The manifest of a bundle, or undefined if it has none: a triple made by others. */
export function readManifest(bundle: BootImage): Manifest | undefined {
  const found = statsIfThere(bundle.manifest);
  if (found === undefined) return undefined;
  const text = textOf(bundle.manifest);
  try {
    return v.parse(manifestSchema, JSON.parse(text));
  } catch (error) {
    const why = `cannot read its manifest ${bundle.manifest} (${refusal(error)})`;
    throw bad('image-manifest-broken', why, Exit.dataError);
  }
}

/** What a VM program can boot in place of the kernel and the root in the initrd; each is there where the image has it. */
export interface BootParts {
  /** Whether the kernel is there unpacked. */
  readonly isUnpacked: boolean;
  readonly root: RootPart | undefined;
}

/** What a program boots that takes no parts. */
export const noParts: BootParts = { isUnpacked: false, root: undefined };

/** The parts of a bundle that a program can boot; none of one without a manifest. */
export function partsOf(bundle: BootImage, row: Pick<VmProgram, 'bootsParts'>): BootParts {
  const manifest = row.bootsParts ? readManifest(bundle) : undefined;
  if (manifest === undefined) return noParts;
  const { files } = manifest;
  const root = manifest.root && isIn(bundle.initrd, manifest.root) ? manifest.root : undefined;
  const isUnpacked = files.unpacked !== undefined && statsIfThere(bundle.unpacked) !== undefined;
  return { isUnpacked, root };
}

/** QEMU takes whole sectors, and none that are not there. */
function isIn(initrd: string, { stage1, at, size }: RootPart): boolean {
  const all = statsIfThere(initrd)?.size ?? 0;
  return 0 < stage1 && stage1 <= at && size > 0 && size % 512 === 0 && at + size <= all;
}

const parts = ['kernel', 'initrd', 'cmdline'] as const;

/**
 * Throws the first thing that is wrong with a bundle, as far as it can be seen before a start. `full` compares hashes
 * as well, which takes a while; without it sizes and first bytes are looked at. With `system` the kernel must be for that.
 */
export function checkBootImage(
  bundle: BootImage,
  { full, system }: { readonly full: boolean; readonly system?: System },
): void {
  try {
    for (const part of parts) checkThere(bundle[part]);
    const manifest = readManifest(bundle);
    // Who has copied the triple alone can do without the kernel unpacked.
    const there =
      statsIfThere(bundle.unpacked) === undefined ? parts : ([...parts, 'unpacked'] as const);
    for (const part of there) {
      const expected = manifest?.files[part];
      if (expected !== undefined) checkSame(bundle[part], expected, full);
    }

    checkKernel(bundle.kernel, system);
    checkInitrd(bundle.initrd);
    checkCmdline(bundle.cmdline);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    // It may be so for want of descriptors.
    throw bad('image-unreadable', unreadable(error), Exit.noInput, 'retry');
  }
}

function unreadable(error: unknown): string {
  const { path = 'a file' } = error as NodeJS.ErrnoException;
  return `cannot read ${path} (${refusal(error)})`;
}

function checkThere(path: string): void {
  const found = statsIfThere(path);
  if (found === undefined) throw bad('image-missing', `${path} does not exist`, Exit.noInput);
  if (!found.isFile()) throw bad('image-missing', `${path} is not a file`, Exit.noInput);
  if (found.size === 0) throw bad('image-truncated', `${path} is empty`, Exit.dataError);
}

function checkSame(path: string, { sha256, size }: v.InferOutput<typeof file>, full: boolean) {
  const found = statSync(path).size;
  const sizes = `${path} has ${found} bytes instead of ${size}`;
  if (found < size) throw bad('image-truncated', sizes, Exit.dataError);
  if (found > size) throw bad('image-wrong-hash', sizes, Exit.dataError);
  if (full && sha256OfFile(path) !== sha256)
    throw bad('image-wrong-hash', `the content of ${path} has changed`, Exit.dataError);
}

/** x86: Documentation/arch/x86/boot.rst; arm64: Documentation/arch/arm64/booting.rst; `MZ...zimg`: an EFI zboot image. */
function checkKernel(path: string, wanted: System | undefined): void {
  const head = startOf(path, 0x206);
  const text = (from: number, to: number) => head.toString('latin1', from, to);
  const isX86 = text(0x202, 0x206) === 'HdrS';
  const isArm = text(56, 60) === 'ARM\x64';
  if (!isX86 && !isArm && text(4, 8) !== 'zimg' && !isCompressed(head))
    throw bad('image-kernel-unknown', `${path} is not a Linux kernel`, Exit.dataError);
  const is: System | undefined = isX86 ? 'x86_64-linux' : isArm ? 'aarch64-linux' : undefined;
  if (is === undefined || wanted === undefined || is === wanted) return;
  throw bad('image-other-system', `${path} is for ${is}, not ${wanted}`, Exit.dataError);
}

function checkInitrd(path: string): void {
  const head = startOf(path, 8);
  if (!isCompressed(head) && !/^07070[12]/.test(head.toString('latin1')))
    throw bad('image-initrd-unknown', `${path} is not an initrd`, Exit.dataError);
}

const isCompressed = (head: Buffer): boolean =>
  ['1f8b', '28b52ffd', 'fd377a585a00', '02214c18', '5d0000'].some((magic) =>
    head.subarray(0, 8).toString('hex').startsWith(magic),
  );

/** A kernel takes one line; 2048 bytes on x86 and arm64 (COMMAND_LINE_SIZE). */
function checkCmdline(path: string): void {
  const text = textOf(path).replace(/\n$/, '');
  if (/[\n\0]/.test(text))
    throw bad('image-cmdline-bad', `${path} has more than one line`, Exit.dataError);
  if (Buffer.byteLength(text) > 2000)
    throw bad(
      'image-cmdline-bad',
      `${path} is longer than a kernel command line can be`,
      Exit.dataError,
    );
}

function startOf(path: string, bytes: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(bytes);
    readSync(fd, head, 0, bytes, 0);
    return head;
  } finally {
    closeSync(fd);
  }
}

/** The directory may be another user's, who has put there what never ends. */
function textOf(path: string): string {
  const answer = readRegular(path, 'utf8');
  if (answer.kind === 'text') return answer.text;
  throw bad('image-unreadable', `cannot read ${path} (${answer.why})`, Exit.noInput);
}

const bad = (kind: string, why: string, exit: 65 | 66, recovery: Recovery = 'give-up'): Failed =>
  new Failed({
    kind,
    message: `Cannot use the image: ${why}.`,
    hint: advice`Build the image: ${ours('image build')}`,
    exit,
    recovery,
    blames: 'image',
  });
