/** What a QEMU was built with, asked of itself by its machine protocol: nothing is tried, and no text for people is read. */
import { run } from '../system/child.ts';
import { versionOf } from '../system/files.ts';
import { fieldsOf } from '../system/json-lines.ts';
import type { Abilities } from './driver.ts';

const none: Abilities = { sandbox: false };
/** It takes a tenth of a second; one that takes so long is not worth waiting for. */
const timeoutMs = 5_000;
/** By program and its version: an answer holds as long as the file is the same. */
const known = new Map<string, Abilities>();

/** Asks once for each version of a program. Where no answer comes it is taken for one without. Rejects when the signal aborts. */
export async function qemuAbilities(program: string, signal: AbortSignal): Promise<Abilities> {
  const key = `${program} ${versionOf(program)}`;
  const found = known.get(key) ?? (await askQemu(program, signal));
  signal.throwIfAborted();
  known.set(key, found);
  return found;
}

async function askQemu(program: string, signal: AbortSignal): Promise<Abilities> {
  const question = { option: 'sandbox' };
  const input = [
    { execute: 'qmp_capabilities' },
    // Of an option that it does not know it says nothing but an error.
    { execute: 'query-command-line-options', arguments: question, id: 'sandbox' },
    { execute: 'quit' },
  ].map((request) => `${JSON.stringify(request)}\n`);
  const machine = ['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'];
  const { stdout } = await run(program, [...machine, '-qmp', 'stdio'], {
    ...{ input: input.join(''), timeoutMs, signal },
    env: { PATH: '/usr/bin:/bin' },
  });
  const answers = stdout.split('\n').map(answerIn);
  const { return: options } = answers.find(({ id }) => id === 'sandbox') ?? {};
  const sandbox =
    Array.isArray(options) && options.some((each) => fieldsOf(each)['option'] === 'sandbox');
  return { ...none, sandbox, ...versionIn(answers) };
}

/** The greeting has the version in numbers (QEMU's docs/interop/qmp-spec). */
function versionIn(
  answers: readonly Readonly<Record<string, unknown>>[],
): Pick<Abilities, 'major'> {
  const greeting = fieldsOf(answers.find((answer) => 'QMP' in answer)?.['QMP']);
  const { major } = fieldsOf(fieldsOf(greeting['version'])['qemu']);
  return typeof major === 'number' ? { major } : {};
}

function answerIn(line: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(line));
  } catch {
    return {};
  }
}
