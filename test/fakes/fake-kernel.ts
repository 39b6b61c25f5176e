/** An ELF file of 64 bits with these notes: owner, type, content. */
export function elf(...notes: readonly (readonly [string, number, string])[]): Buffer {
  const segment = Buffer.concat(
    notes.map(([owner, type, content]) => {
      const [name, data] = [Buffer.from(`${owner}\0`), Buffer.from(content)];
      const head = Buffer.alloc(12);
      [name.length, data.length, type].forEach((value, n) => head.writeUInt32LE(value, 4 * n));
      const padded = (part: Buffer) =>
        Buffer.concat([part, Buffer.alloc((4 - (part.length % 4)) % 4)]);
      return Buffer.concat([head, padded(name), padded(data)]);
    }),
  );
  const head = Buffer.alloc(64);
  head.write('\x7fELF\x02', 'latin1');
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(2, 56);
  const program = (type: number) => {
    const header = Buffer.alloc(56);
    header.writeUInt32LE(type, 0);
    header.writeBigUInt64LE(BigInt(64 + 2 * 56), 8);
    header.writeBigUInt64LE(BigInt(segment.length), 32);
    return header;
  };
  return Buffer.concat([head, program(1), program(4), segment]);
}

/** A kernel of the boot protocol 2.15 whose payload that is (Documentation/arch/x86/boot.rst). */
export function bzImage(payload: Buffer, version = 0x20f): Buffer {
  const setup = Buffer.alloc(512 * 3);
  setup[0x1f1] = 2;
  setup.write('HdrS', 0x202, 'latin1');
  setup.writeUInt16LE(version, 0x206);
  setup.writeUInt32LE(100, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, Buffer.alloc(100), payload, Buffer.from('what stands behind it')]);
}
