/**
 * A gvproxy with a vfkit mode on Linux, which Debian's has not: that mode by a peer of ours before Debian's, everything else by
 * Debian's alone.
 */
import { spawn } from 'node:child_process';

/** Put in by the bundler: Debian's program, the text of peer.py, and the interpreter for it. */
declare const GVPROXY: string;
declare const PEER: string;
declare const PYTHON: string;

const argv = process.argv.slice(2);
const at = argv.findIndex((word) => /^--?listen-vfkit(=|$)/.test(word));
const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...commandOf()], { stdio: 'inherit' });
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => void child.kill(name));
child.once('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});

function commandOf(): string[] {
  const word = argv[at];
  if (word === undefined) return [GVPROXY, ...argv];
  const inWord = /=(.*)$/s.exec(word)?.[1];
  const url = inWord ?? argv[at + 1] ?? '';
  const others = argv.toSpliced(at, inWord === undefined ? 2 : 1);
  if (!url.startsWith('unixgram://')) {
    process.stderr.write(`unsupported scheme in ${url}\n`);
    process.exit(1);
  }
  const path = url.slice('unixgram://'.length);
  const real = ['setpriv', '--pdeathsig', 'KILL', GVPROXY, ...others, '-listen-stdio', 'frames'];
  return [PYTHON, '-c', PEER, path, 'yes', ...real];
}
