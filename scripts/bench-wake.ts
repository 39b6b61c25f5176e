// A guest that is away, and a client of ssh that comes: to the banner of its sshd, resumed from a file and booted, by turns.
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Ratio } from './bench-ratio.ts';

export interface WakeBench {
  readonly state: string;
  readonly port: number;
  readonly cli: (...argv: string[]) => string;
  readonly ratio: Ratio;
}

const rounds = 5;

export async function benchWake({ state, port, cli, ratio }: WakeBench): Promise<void> {
  // The first suspend is tried, which is over when it is away.
  cli('suspend');
  const [resumed, booted]: [number[], number[]] = [[], []];
  for (let n = 0; n < rounds; n++) {
    resumed.push(await wake('auto', 'suspended'));
    booted.push(await wake('stop', 'stopped'));
  }
  ratio('wake from a file: connect to banner', resumed, booted, 's', 'the same, of a boot', 0.2);

  async function wake(how: string, guest: string): Promise<number> {
    const path = join(state, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as { idle?: object };
    cli('start');
    cli('wait');
    writeFileSync(path, JSON.stringify({ ...config, idle: { ...config.idle, how } }));
    await untilRead(how);
    cli('suspend');
    const { away } = JSON.parse(cli('status', '--json')) as { away?: { guest: string } };
    if (away?.guest !== guest) throw new Error(`the guest is not ${guest}`);
    const seconds = await timeToBanner();
    cli('wait');
    return seconds;
  }

  async function untilRead(how: string): Promise<void> {
    for (;;) {
      const { builder } = JSON.parse(cli('status', '--json')) as {
        builder?: { idle: { how: string } };
      };
      if (builder?.idle.how === how) return;
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  function timeToBanner(): Promise<number> {
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('SSH-2.0-bench\r\n'));
      socket.on('error', reject);
      socket.once('data', (chunk: Buffer) => {
        socket.destroy();
        if (chunk.toString('latin1').startsWith('SSH-'))
          resolve((performance.now() - begun) / 1000);
        else reject(new Error('that is no banner'));
      });
    });
  }
}
