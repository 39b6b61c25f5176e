/** A control channel to QEMU for a test. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { fact } from './command.ts';
import type { BuilderRig } from './rig.ts';

/** Gives QEMU a second control channel, since the daemon has the first for itself; returns one command's sender. */
export function addMonitor(rig: BuilderRig): (command: string) => Promise<void> {
  const bin = join(rig.dir, 'bin');
  const socket = join(rig.dir, 'extra.sock');
  mkdirSync(bin);
  const name = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
  writeFileSync(
    join(bin, name),
    `#!/bin/sh\nexec ${tryProgram(name) ?? name} "$@" -qmp "unix:${socket},server=on,wait=off"\n`,
  );
  chmodSync(join(bin, name), 0o755);
  Object.assign(rig.env, { PATH: `${bin}:${process.env['PATH'] ?? ''}` });
  return async (command) => {
    expect(existsSync(socket)).toBe(true);
    const connection = connect(socket);
    let said = '';
    connection.on('data', (chunk: Buffer) => (said += chunk.toString()));
    connection.write(`{"execute":"qmp_capabilities"}\n{"execute":"${command}"}\n`);
    await fact(`QEMU has obeyed ${command}`, () => said.split('{"return": {}}').length === 3);
    connection.destroy();
  };
}
