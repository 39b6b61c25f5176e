/** What a QEMU can do, asked of itself by its machine protocol; no text for people is read. */
import { join } from 'node:path';
import { platform } from 'node:process';
import { vmPrograms } from '../../domain/vm-programs.ts';
import { run } from '../../system/process/child.ts';
import { Failed } from '../../system/failure.ts';
import { versionOf } from '../../system/files/stamp.ts';
import { discardFolder, plainFolder } from '../../system/files/temporary.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import type { Abilities } from '../vm-driver.ts';
import { forwardTo } from './qemu-argv.ts';

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
  const room = makeRoom();
  try {
    const answers = await ask(program, questions(room), signal);
    const answerTo = (question: string) => answers.find(({ id }) => id === question) ?? {};
    const { return: options } = answerTo('sandbox');
    const sandbox =
      Array.isArray(options) && options.some((each) => fieldsOf(each)['option'] === 'sandbox');
    const forwardsUnix = 'return' in answerTo('forward');
    const reportsFreePages = hostTakesPages && hasProperty(answerTo('balloon'), freePages);
    const machine = machineIn(answerTo('machines'));
    return { sandbox, forwardsUnix, reportsFreePages, ...machine, ...versionIn(answers) };
  } finally {
    if (room !== undefined) discardFolder(room);
  }
}

/** macOS keeps what QEMU gives back: MADV_DONTNEED frees nothing there (https://github.com/containers/libkrun/issues/703). */
const hostTakesPages = vmPrograms.qemu.givesBack.memory.some((each) => each === platform);

/** Since QEMU 5.1, where the balloon was not left out of the build. */
const freePages = 'free-page-reporting';

const hasProperty = ({ return: properties }: Answer, name: string): boolean =>
  Array.isArray(properties) && properties.some((each) => fieldsOf(each)['name'] === name);

/**
 * The newer PC, where the build has it. On the older one an emulated kernel takes up to 0.1 s longer for each device, whose interrupt goes
 * through a link that ACPI has to set (docs/decisions/boot.md); and Red Hat's QEMU goes without it. Names and aliases count alike for -machine.
 */
function machineIn({ return: machines }: Answer): Pick<Abilities, 'machine'> {
  const names = Array.isArray(machines)
    ? machines.flatMap((each) => [fieldsOf(each)['name'], fieldsOf(each)['alias']])
    : [];
  return names.includes('q35') ? { machine: 'q35' } : {};
}

/** Of an option that it does not know it says nothing but an error. */
const questions = (room: string | undefined): readonly object[] => [
  { execute: 'qmp_capabilities' },
  { execute: 'query-command-line-options', arguments: { option: 'sandbox' }, id: 'sandbox' },
  { execute: 'query-machines', id: 'machines' },
  {
    execute: 'device-list-properties',
    arguments: { typename: 'virtio-balloon-pci' },
    id: 'balloon',
  },
  // Nothing else tells: QEMU 11.1 does it, 10.0 calls it a bad protocol name.
  ...(room === undefined
    ? []
    : [{ execute: 'netdev_add', arguments: forwarding(join(room, 's')), id: 'forward' }]),
  { execute: 'quit' },
];

type Answer = Readonly<Record<string, unknown>>;

const forwarding = (socket: string) => ({
  type: 'user',
  id: 'net',
  hostfwd: [{ str: forwardTo(socket) }],
});

async function ask(program: string, requests: readonly object[], signal: AbortSignal) {
  const input = requests.map((request) => `${JSON.stringify(request)}\n`).join('');
  const machine = ['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'];
  const { stdout } = await run(program, [...machine, '-qmp', 'stdio'], {
    input,
    timeoutMs,
    signal,
    env: { PATH: '/usr/bin:/bin' },
  });
  return stdout.split('\n').map(answerIn);
}

/** For the socket that is tried; none where nothing can be written. */
function makeRoom(): string | undefined {
  try {
    return plainFolder('linuxkit-builder-');
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return undefined;
  }
}

/** The greeting has the version in numbers (QEMU's docs/interop/qmp-spec). */
function versionIn(answers: readonly Answer[]): Pick<Abilities, 'major'> {
  const greeting = fieldsOf(answers.find((answer) => 'QMP' in answer)?.['QMP']);
  const { major } = fieldsOf(fieldsOf(greeting['version'])['qemu']);
  return typeof major === 'number' ? { major } : {};
}

function answerIn(line: string): Answer {
  try {
    return fieldsOf(JSON.parse(line));
  } catch {
    // What is no JSON is no answer.
    return {};
  }
}
