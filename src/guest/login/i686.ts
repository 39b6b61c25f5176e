/**
 * The proof that a guest runs programs of i686-linux: one of these, run there. Written in machine code, since it has to be there
 * without a compiler.
 */

/**
 * An ELF executable of 32 bits (elf(5)): a header, one segment that is all of the file, the code. It says what uname(2) calls the machine, into the file
 * that its first argument names, else on its output: so it is a derivation's builder too. Numbers of system calls: Linux,
 * arch/x86/entry/syscalls/syscall_32.tbl.
 */
export function i686Program(): Uint8Array {
  const instructions = [
    takeArguments,
    [0xbd, 1, 0, 0, 0], // mov ebp, 1
    [0x85, 0xdb, 0x74, open.length], // test ebx, ebx; jz behind it
    open,
    [0x81, 0xec, 0, 2, 0, 0, 0x89, 0xe3], // sub esp, 512; mov ebx, esp
    call(122), // uname
    [0x8d, 0x8c, 0x24, 4, 1, 0, 0, 0x89, 0xca], // lea ecx, [esp + 4 * 65] (machine); mov edx, ecx
    [0x80, 0x3a, 0, 0x74, 3, 0x42, 0xeb, 0xf8], // up to its end: cmp byte [edx], 0; jz; inc edx; jmp
    [0xc6, 0x02, 0x0a, 0x42], // mov byte [edx], '\n'; inc edx
    [0x29, 0xca, 0x89, 0xeb], // sub edx, ecx; mov ebx, ebp
    call(4), // write
    [0x31, 0xdb], // xor ebx, ebx
    call(1), // exit
  ];
  const code = Buffer.from(instructions.flat());
  return Buffer.concat([elfHeader(), segment(headerBytes + code.length), code]);
}

/** mov eax, number; int 0x80 */
const call = (number: number): readonly number[] => [0xb8, number, 0, 0, 0, 0xcd, 0x80];

/** pop eax (argc); pop eax (argv[0]); pop ebx (argv[1]) */
const takeArguments = [0x58, 0x58, 0x5b];

/** mov ecx, O_WRONLY | O_CREAT; mov edx, 0644; open; mov ebp, eax */
const open = [0xb9, 0x41, 0, 0, 0, 0xba, 0xa4, 1, 0, 0, ...call(5), 0x89, 0xc5];

const base = 0x08048000;
const headerBytes = 52 + 32;

function elfHeader(): Buffer {
  const header = Buffer.alloc(52);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(3, 18); // EM_386
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(base + headerBytes, 24); // entry
  header.writeUInt32LE(52, 28); // program headers begin
  header.writeUInt16LE(52, 40); // size of this
  header.writeUInt16LE(32, 42); // size of a program header
  header.writeUInt16LE(1, 44); // how many
  return header;
}

function segment(size: number): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt32LE(1, 0); // PT_LOAD
  header.writeUInt32LE(base, 8);
  header.writeUInt32LE(base, 12);
  header.writeUInt32LE(size, 16);
  header.writeUInt32LE(size, 20);
  header.writeUInt32LE(5, 24); // read, execute
  header.writeUInt32LE(0x1000, 28);
  return header;
}

/** For sh in the guest: runs it. Nothing but builtins makes the file, byte by byte (printf(1)). */
export const i686Script = `file=$(mktemp) || exit 9
printf '${[...i686Program()].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}' >"$file" && chmod 700 "$file" || exit 9
"$file" || echo no
rm -f "$file"`;

/**
 * What the script said: true where the program ran. Without the personality that Nix gives a build of i686-linux (linux32, setarch(8)), uname calls the
 * machine by its own name. Undefined where it could not be tried. Pure.
 */
export function ranI686(said: string): boolean | undefined {
  const [last] = said.trim().split('\n').slice(-1);
  if (last === 'no') return false;
  return /^(i\d86|x86_64)$/.test(last ?? '') ? true : undefined;
}
