/**
 * The whole userspace of a trial guest: one program that says a line and ends. Written in machine code, since it has to be there on a
 * Mac without a compiler, and needs nothing of the image but its kernel.
 */
import { cpioArchive, S_IFREG } from '../../system/cpio.ts';
import type { Config } from '../../config/config.ts';

/** What it says on its console: seen, the kernel has booted and runs programs. */
export const trialLine = 'linuxkit-builder: userspace';

/** An initrd with /init alone. The kernel brings /dev/console of its own (usr/default_cpio_list). */
export const trialInitrd = (system: Config['system']): Uint8Array =>
  cpioArchive([{ path: 'init', mode: S_IFREG | 0o755, data: trialInit(system) }]);

/**
 * An ELF executable (elf(5)): a header, one segment that is all of the file, the code, a time, the line. It is write(1, line), then
 * nanosleep(time), since a panic drops what the terminal has not sent yet, then exit_group(0); of pid 1 that is a panic, which
 * ends the VM with `panic=-1`, if nobody else has done so.
 */
export function trialInit(system: Config['system']): Uint8Array {
  const line = Buffer.from(`${trialLine}\n`);
  const { machine, code } = system === 'aarch64-linux' ? aarch64(line.length) : x86(line.length);
  const data = Buffer.concat([timespec, line]);
  const size = headerBytes + code.length + data.length;
  return Buffer.concat([elfHeader(machine), segment(size), code, data]);
}

const sleepS = 5;
/** Seconds and nanoseconds, 64 bits each. */
const timespec = Buffer.from([sleepS, ...Array<number>(15).fill(0)]);

/** EM_X86_64; numbers of system calls: Linux, arch/x86/entry/syscalls/syscall_64.tbl. */
function x86(bytes: number) {
  const call = (number: number) => [0xb8, ...le32(number), 0x0f, 0x05]; // mov eax, number; syscall
  const lea = (opcode: number, offset: number) => [0x48, 0x8d, opcode, ...le32(offset)]; // relative to what follows
  const exit = [0x31, 0xff, ...call(231)]; // xor edi, edi; exit_group
  const sleep = [0x31, 0xf6, ...call(35), ...exit]; // xor esi, esi; nanosleep
  const pause = [...lea(0x3d, sleep.length), ...sleep]; // lea rdi, time
  const write = [0xba, ...le32(bytes), ...call(1), ...pause]; // mov edx, bytes; write
  const toLine = lea(0x35, write.length + timespec.length); // lea rsi, line
  const code = [0xbf, ...le32(1), ...toLine, ...write]; // mov edi, 1
  return { machine: 62, code: Buffer.from(code) };
}

/** EM_AARCH64; numbers of system calls: Linux, include/uapi/asm-generic/unistd.h. */
function aarch64(bytes: number) {
  const movz = (register: number, value: number) => 0xd2800000 + value * 32 + register;
  // adr: words from this instruction on.
  const adr = (register: number, words: number) => 0x10000000 + words * 32 + register;
  const call = (number: number) => [movz(8, number), 0xd4000001];
  const exit = [movz(0, 0), ...call(94)]; // exit_group
  const sleep = [movz(1, 0), ...call(101), ...exit]; // nanosleep
  const pause = [adr(0, sleep.length + 1), ...sleep];
  const write = [movz(2, bytes), ...call(64), ...pause];
  const toLine = adr(1, write.length + 1 + timespec.length / 4);
  const words = [movz(0, 1), toLine, ...write];
  return { machine: 183, code: Buffer.from(words.flatMap(le32)) };
}

/** Where the file lies in memory. */
const base = 0x400000;
const headerBytes = 64 + 56;

function elfHeader(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(base + headerBytes, 24); // entry
  header.writeUInt32LE(64, 32); // program headers begin
  header.writeUInt16LE(64, 52); // size of this
  header.writeUInt16LE(56, 54); // size of a program header
  header.writeUInt16LE(1, 56); // how many
  return header;
}

function segment(size: number): Buffer {
  const header = Buffer.alloc(56);
  header.writeUInt32LE(1, 0); // PT_LOAD
  header.writeUInt32LE(5, 4); // read, execute
  header.writeUInt32LE(base, 16);
  header.writeUInt32LE(base, 24);
  header.writeUInt32LE(size, 32);
  header.writeUInt32LE(size, 40);
  header.writeUInt32LE(0x10000, 48); // larger than any page
  return header;
}

const le32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
