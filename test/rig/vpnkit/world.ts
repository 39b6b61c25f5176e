/** What is behind a card: gvproxy's network stack, one for each card, which takes VPNKit's frames on its stdin. */
import { spawn } from 'node:child_process';
import { frames } from '../frames.ts';
import { translate } from './translate.ts';

export interface World {
  /** A frame of the guest. */
  take(frame: Buffer): void;
  end(): void;
}

/** Starts the program; it must not outlive us, however we end. */
export function openWorld(program: string, onFrame: (frame: Buffer) => void): World {
  const argv = ['--pdeathsig', 'KILL', program, '-listen-stdio', 'frames', '-ssh-port', '-1'];
  const child = spawn('setpriv', argv, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
  });
  child.stdin.on('error', () => undefined);
  const read = frames(
    2,
    (head) => head.readUInt16LE(0),
    (frame) => onFrame(translate(Buffer.from(frame), 'vpnkit')),
  );
  child.stdout.on('data', read);
  return {
    take: (frame) => void child.stdin.write(framed(translate(Buffer.from(frame), 'gvproxy'))),
    end: () => void child.kill('SIGKILL'),
  };
}

/** A frame behind its length. */
export function framed(frame: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16LE(frame.length);
  return Buffer.concat([head, frame]);
}
