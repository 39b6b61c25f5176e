/** A Node for Intel that Rosetta runs on Apple silicon: by all that it says this is an Intel Mac, on which no program can run a guest fast. */
import { advice, ours } from '../advice.ts';
import { Exit, type Failure } from '../failure.ts';
import { run } from '../process/child.ts';

interface Asked {
  readonly platform?: string;
  readonly arch?: string;
  /** What sysctl(8) answers to `sysctl.proc_translated`: 1 where Rosetta translates whoever asks ("About the Rosetta translation environment"). */
  readonly ask?: () => Promise<string>;
}

/** Undefined where this Node is one for this machine, or nobody tells. */
export async function nodeTranslated({
  platform = process.platform,
  arch = process.arch,
  ask = askSysctl,
}: Asked = {}): Promise<Failure | undefined> {
  if (platform !== 'darwin' || arch !== 'x64') return undefined;
  return (await ask()).trim() === '1' ? isTranslated : undefined;
}

const isTranslated: Failure = {
  kind: 'node-translated',
  message: `This Node (${process.execPath}) is one for Intel, which Rosetta translates: this Mac has Apple silicon, and is taken for an Intel Mac, whose guests can only be emulated here.`,
  hint: advice`Install a Node for arm64, put it first on the PATH, then run: ${ours('configure', '--system aarch64-linux')}`,
  exit: Exit.unavailable,
};

/** A child of a process that is translated is so, too, where its program has a part for Intel, as those of macOS have. */
async function askSysctl(): Promise<string> {
  const argv = ['-n', 'sysctl.proc_translated'];
  const { stdout } = await run('/usr/sbin/sysctl', argv, { timeoutMs: 2_000 });
  return stdout;
}
