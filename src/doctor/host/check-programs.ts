/** Checks of the programs that a builder runs by. */
import { advice } from '../../system/advice.ts';
import { nodeTranslated } from '../../system/host/translated.ts';
import { run } from '../../system/process/child.ts';
import { programMissing } from '../../system/process/find-program.ts';
import { tryNode } from '../../system/process/node-trial.ts';
import { failureOf } from '../../system/failure.ts';
import type { CheckVerdict } from '../check-runner.ts';
import type { DoctorFacts } from '../facts.ts';

/** Whether this Node does what is asked of it, by trial. */
export async function checkNode(translated = nodeTranslated): Promise<CheckVerdict> {
  try {
    await tryNode();
    const fact = `${process.version}, ${process.execPath}`;
    const wrong = await translated();
    if (wrong === undefined) return { kind: 'good', fact };
    return {
      kind: 'note',
      code: 'node-translated',
      fact,
      why: advice`${wrong.message} ${wrong.hint}`,
    };
  } catch (error) {
    const { kind, message } = failureOf(error);
    if (kind === 'node-unfit') throw error;
    // A full or read-only folder for temporary files is no fault of Node.
    return { kind: 'not-asked', code: 'node-not-tried', why: message };
  }
}

/** Those that a start runs, where the daemon would look for them. */
export function checkPrograms({ config, driver, tryProgram: find }: DoctorFacts): CheckVerdict {
  const wanted = [
    driver().program(config()),
    'ssh',
    'ssh-keygen',
    'ps',
    ...(process.platform === 'linux' ? ['flock'] : []),
  ];
  const missing = wanted.filter((name) => find(name) === undefined);
  const [first] = missing;
  if (first === undefined) return { kind: 'good', fact: wanted.join(', ') };
  const { hint } = programMissing(first);
  const why = `${missing.length === 1 ? 'It is' : 'They are'} not on the daemon's PATH.`;
  return {
    kind: 'bad',
    code: 'programs-missing',
    what: `Not found: ${missing.join(', ')}.`,
    why,
    remedy: hint,
  };
}

/** Before how OpenSSH is installed: another ssh is here, and comes first. */
export const opensshFirst = 'Put OpenSSH first on the PATH. ';

/** What the programs say of themselves. Only ssh is held to a version. */
export async function checkVersions(facts: DoctorFacts): Promise<CheckVerdict> {
  const ssh = await firstLine(facts, 'ssh', '-V');
  const fact = [`Node ${process.versions.node}`, await vmSays(facts), ssh].join('; ');
  const [, major, minor] = /OpenSSH_(\d+)\.(\d+)/.exec(ssh) ?? [];
  const isOther = major === undefined;
  return isOther || Number(major) * 100 + Number(minor) < 706
    ? {
        kind: 'bad',
        code: isOther ? 'ssh-not-openssh' : 'ssh-too-old',
        what: isOther ? `This ssh is not OpenSSH: ${ssh}.` : `This ssh is too old: ${ssh}.`,
        why: 'The builder needs RemoteCommand, which OpenSSH has had since 7.6.',
        remedy: advice`${isOther ? opensshFirst : ''}${programMissing('ssh').hint}`,
      }
    : { kind: 'good', fact };
}

/** What the VM program says of its version. */
export function vmSays(facts: DoctorFacts): Promise<string> {
  const { program, row } = facts.driver();
  return firstLine(facts, program(facts.config()), row.versionFlag);
}

async function firstLine(
  { program, context: { signal } }: DoctorFacts,
  name: string,
  flag: string,
): Promise<string> {
  const { stdout, stderr } = await run(program(name), [flag], { timeoutMs: 10_000, signal });
  // ssh says it on stderr.
  return `${stdout}${stderr}`.trim().split('\n')[0] ?? '';
}
