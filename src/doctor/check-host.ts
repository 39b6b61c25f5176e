/** Checks of what lies on this machine: programs, settings, files, the image. */
import { chmodSync, existsSync, statSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { describeProblem, type Problem } from '../domain/problem.ts';
import { readIdentity } from '../guest/identity/identity.ts';
import { counted } from '../domain/counted.ts';
import type { Check, Verdict } from './check-runner.ts';
import { directoryChanges, directoryProblems } from '../setup/directories.ts';
import { oldImageAt } from '../supervisor/start/image-floor.ts';
import { chooseImage, newestPrefix } from '../supervisor/start/image-choice.ts';
import { notSetUp } from '../config/not-set-up.ts';
import { readSettings } from '../config/read-settings.ts';
import { run } from '../system/process/child.ts';
import { failureOf } from '../system/failure.ts';
import { isLocked, sectionLock } from '../system/lock/lock.ts';
import { tryNode } from '../system/process/node-trial.ts';
import { hostFacts } from '../system/host/host.ts';
import { programMissing } from '../system/process/find-program.ts';
import { chooseAccelerator } from '../vm/accelerator.ts';
import { bundleAt, checkBootImage, readManifest } from '../vm/boot-image.ts';
import { masksCx16 } from '../vm/qemu/emulated.ts';
import { qemuAbilities } from '../vm/qemu/qemu-abilities.ts';
import { alwaysHardware, emulation, judgeImage } from './verdicts/judge-image.ts';
import { diskSpace } from './check-disk.ts';
import { checkLoopback } from './check-door.ts';
import type { DoctorFacts } from './facts.ts';
import { imageAgeAt } from '../image/image-news.ts';

export const machineChecks = (facts: DoctorFacts): readonly Check[] => [
  { name: 'settings', dependsOn: [], run: () => settings(facts.layout) },
  { name: 'programs', dependsOn: ['settings'], run: () => programs(facts) },
  { name: 'versions', dependsOn: ['programs'], run: () => versions(facts) },
  { name: 'node', dependsOn: ['programs'], run: () => node() },
  { name: 'state directory', dependsOn: ['settings'], run: () => stateDirectory(facts.layout) },
  { name: 'loopback', dependsOn: ['settings'], run: () => checkLoopback(facts) },
  { name: 'locks', dependsOn: ['state directory'], run: () => locks(facts.layout) },
  {
    name: 'disk space',
    dependsOn: ['state directory'],
    run: () => diskSpace(facts.layout, facts.config()),
  },
  { name: 'keys', dependsOn: ['state directory'], run: () => keys(facts.layout) },
  { name: 'image', dependsOn: ['settings'], run: () => image(facts) },
  { name: 'accelerator', dependsOn: ['programs', 'image'], run: () => accelerator(facts) },
];

async function node(): Promise<Verdict> {
  try {
    await tryNode();
    return { kind: 'good', fact: `${process.version}, ${process.execPath}` };
  } catch (error) {
    const { kind, message } = failureOf(error);
    if (kind === 'node-unfit') throw error;
    // A full or read-only folder for temporary files is no fault of Node.
    return { kind: 'not-asked', why: message };
  }
}

function settings(layout: Layout): Verdict {
  const { config, problems, isMissing } = readSettings(layout);
  if (config !== undefined)
    return {
      kind: 'good',
      fact: settingsWords(config, hostFacts(layout.root)),
    };
  if (isMissing === true) {
    const { message, hint } = notSetUp(layout);
    return { kind: 'bad', what: message, why: `${layout.config} does not exist.`, remedy: hint };
  }
  return {
    kind: 'bad',
    what: 'config.json cannot be used.',
    why: problems.map(describeProblem).join(' '),
    remedy: `Correct ${layout.config}`,
    ...quotesOf(problems),
  };
}

function quotesOf(problems: readonly Problem[]): { readonly quotes?: string } {
  const quotes = problems.flatMap((problem) => problem.quotes ?? []);
  return quotes.length === 0 ? {} : { quotes: quotes.join(' ') };
}

/** With how much memory there is to be had, and where a limit says so. */
export function settingsWords(
  { system, cpus, memoryMiB, door, port }: Config,
  host: Pick<ReturnType<typeof hostFacts>, 'memoryMiB' | 'isLimited'>,
): string {
  const limit = host.isLimited ? ' (limited by a container or slice)' : '';
  const where = door === 'tcp' ? `port ${port}` : 'a Unix socket';
  return `${system}, ${counted(cpus, 'CPU')}, ${memoryMiB} MiB of ${host.memoryMiB}${limit}, ${where}`;
}

function programs({ config, driver, tryProgram: find }: DoctorFacts): Verdict {
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
  return { kind: 'bad', what: `Not found: ${missing.join(', ')}.`, why, remedy: hint };
}

export const opensshFirst = 'Put OpenSSH first on the PATH. ';

async function versions(facts: DoctorFacts): Promise<Verdict> {
  const ssh = await firstLine(facts, 'ssh', '-V');
  const fact = [`Node ${process.versions.node}`, await vmSays(facts), ssh].join('; ');
  const [, major, minor] = /OpenSSH_(\d+)\.(\d+)/.exec(ssh) ?? [];
  const isOther = major === undefined;
  return isOther || Number(major) * 100 + Number(minor) < 706
    ? {
        kind: 'bad',
        what: isOther ? `This ssh is not OpenSSH: ${ssh}.` : `This ssh is too old: ${ssh}.`,
        why: 'The builder needs RemoteCommand, which OpenSSH has had since 7.6.',
        remedy: `${isOther ? opensshFirst : ''}${programMissing('ssh').hint}`,
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
  return `${stdout}${stderr}`.trim().split('\n')[0] ?? '';
}

function stateDirectory(layout: Layout): Verdict {
  const [problem] = directoryProblems(layout);
  if (problem !== undefined)
    return {
      kind: 'bad',
      what: `${layout.root} ${problem.message}.`,
      why: '',
      remedy: problem.hint,
    };
  const open = directoryChanges(layout).filter(({ kind }) => kind === 'make-private');
  if (open.length === 0) return { kind: 'good', fact: layout.root };
  const paths = open.map(({ path }) => path);
  return {
    kind: 'bad',
    what: `Other users can access ${paths.join(', ')}.`,
    why: 'Private keys are kept there.',
    remedy: `chmod 700 ${paths.map((path) => `'${path}'`).join(' ')}`,
    fix: () => {
      for (const path of paths) chmodSync(path, 0o700);
    },
  };
}

/** Who runs, and who may write, is told by locks that the kernel keeps. */
function locks({ root, state, startLock }: Layout): Verdict {
  if (!existsSync(state)) return { kind: 'not-asked', why: 'the builder has not been started yet' };
  isLocked(sectionLock(startLock));
  return { kind: 'good', fact: `files in ${root} can be locked` };
}

function keys(layout: Layout): Verdict {
  const names = [layout.clientKey, layout.rootKey, layout.hostKey];
  const open = names.filter(
    (path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0,
  );
  if (open.length > 0)
    return {
      kind: 'bad',
      what: `Other users can read ${open.join(', ')}.`,
      why: 'ssh refuses to use such a key.',
      remedy: `chmod 600 ${open.map((path) => `'${path}'`).join(' ')}`,
      fix: () => {
        for (const path of open) chmodSync(path, 0o600);
      },
    };
  readIdentity(layout);
  return { kind: 'good', fact: keysFact };
}

export const keysFact = 'three key pairs, private and readable by their owner only';

function image({ config, layout, context }: DoctorFacts): Verdict {
  const prefix = newestPrefix(config(), layout);
  const bundle = bundleAt(prefix);
  checkBootImage(bundle, { full: true, system: config().system });
  const { images, prefix: booted } = chooseImage(config(), layout);
  const old = oldImageAt(prefix);
  const isAccepted =
    old !== undefined && (config().acceptOldImage === old.version || config().bundle !== undefined);
  return judgeImage(prefix, {
    manifest: readManifest(bundle),
    old: old && { why: old.why, isAccepted },
    rejected: booted === prefix ? undefined : images?.rejected,
    age: imageAgeAt(booted, layout, context.clock.now()),
  });
}

async function accelerator(facts: DoctorFacts): Promise<Verdict> {
  const { config, layout, context, program } = facts;
  const { name, row } = facts.driver();
  const [, another] = row.accelerators;
  if (another === undefined) return alwaysHardware(name);
  const found = await facts.find();
  const known = found.daemon === 'alive' ? found.status : undefined;
  const emulator = program(facts.driver().program(config()));
  const abilities = await qemuAbilities(emulator, context.signal);
  const choice =
    known?.accelerator === undefined
      ? await chooseAccelerator(
          {
            config: config(),
            layout,
            program: emulator,
            abilities,
            bundle: bundleAt(chooseImage(config(), layout).prefix),
          },
          context.clock,
          context.signal,
        )
      : { accelerator: known.accelerator, rejected: known.rejected ?? [] };
  if (choice.accelerator !== 'tcg') return { kind: 'good', fact: choice.accelerator };
  const isMasked = masksCx16({ config: config(), accelerator: 'tcg', abilities });
  return emulation(choice.rejected, isMasked);
}
