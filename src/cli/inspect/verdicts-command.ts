import { statSync } from 'node:fs';
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import type { Subject, Verdict } from '../../domain/verdicts.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { advice, ours, type Text } from '../../system/advice.ts';
import { statsIfThere } from '../../system/stats.ts';

interface VerdictsOptions extends DirectoryOption {
  readonly json?: boolean;
  readonly clear?: boolean;
}

/** One thing that was tried, for people and programs; `holdsUntil` is what ends it by itself. */
interface Shown {
  readonly subject: Subject | 'suspend';
  readonly way: string;
  readonly works: boolean;
  readonly at: string;
  readonly why?: string | undefined;
  readonly remedy?: Text | undefined;
  readonly holdsUntil: 'host-boot' | 'vm-build' | 'day' | NonNullable<Verdict['holdsUntil']>;
}

/** `verdicts`: what was tried on this machine and whether it works. Cleared, the next start tries all of it again. */
export function verdictsCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('--clear', 'forget all of it: the next start tries everything again')
    .option('--json', 'print JSON')
    .action(async (options: VerdictsOptions) => {
      const layout = layoutFor(options, context);
      const verdicts = await verdictsIn(layout, context.clock.now());
      if (options.clear === true) await clear(layout);
      if (options.json === true) {
        const cleared = options.clear === true;
        return context.out(JSON.stringify({ version: 1, cleared, verdicts }));
      }
      if (options.clear === true) return context.out(clearedWords(verdicts));
      for (const verdict of verdicts) for (const line of verdictLines(verdict)) context.out(line);
      if (verdicts.length === 0) context.out(nothingTried);
    });
}

async function verdictsIn(layout: Layout, now: number): Promise<Shown[]> {
  const { readVerdicts } = await import('../../domain/verdicts.ts');
  const { readRejection } = await import('../../supervisor/start/image-choice.ts');
  const written = readVerdicts(layout.verdicts);
  const left = await leftIn(layout);
  const tried = written.map(({ subject, way, at, why, remedy, holdsUntil }): Shown => {
    const told = { subject, way, works: why === undefined, at, why, remedy };
    const isLeft = subject === 'vm' && left.some((each) => each.way === way);
    return { ...told, holdsUntil: isLeft ? 'vm-build' : (holdsUntil ?? 'host-boot') };
  });
  const isNew = (each: Shown) =>
    !tried.some(({ subject, way }) => subject === 'vm' && way === each.way);
  const shown = [...tried, ...left.filter(isNew), ...(await suspendIn(layout, now))];
  const image = readRejection(layout);
  if (image === undefined || written.some(({ subject }) => subject === 'image')) return shown;
  // As the release before this one has written it.
  const { at, message: why } = image;
  const before = { subject: 'image', way: 'newest', works: false, at, why } as const;
  return [...shown, { ...before, holdsUntil: 'image-build' }];
}

/** VM programs that failed, also in an earlier boot of the host, and that another one has replaced. */
async function leftIn(layout: Layout): Promise<Shown[]> {
  const { readKept } = await import('../../vm/kept-vm.ts');
  const at = statsIfThere(layout.vmRecord)?.mtime.toISOString() ?? '';
  return Object.entries(readKept(layout).failed).map(([way, { why }]) => {
    return { subject: 'vm', way, works: false, at, why, holdsUntil: 'vm-build' };
  });
}

/** Whether a guest goes on from a file, where that is known. */
async function suspendIn(layout: Layout, now: number): Promise<Shown[]> {
  const { verdictOf } = await import('../../supervisor/suspend/suspend-trial.ts');
  const trial = await trialIn(layout);
  const verdict = trial === undefined ? 'untried' : verdictOf(trial, now);
  if (verdict === 'untried') return [];
  const at = statSync(layout.suspendTrial).mtime.toISOString();
  const told = { subject: 'suspend', way: 'file' } as const;
  if (verdict === 'works') return [{ ...told, at, works: true, holdsUntil: 'vm-build' }];
  // What has worked here once is tried again by itself.
  const holdsUntil = trial?.works === true ? 'day' : 'vm-build';
  return [{ ...told, at: trial?.at ?? at, works: false, ...verdict, holdsUntil }];
}

async function trialIn(layout: Layout) {
  const { readTrial } = await import('../../supervisor/suspend/suspend-trial.ts');
  const { readStatus } = await import('../../supervisor/status/status.ts');
  const trial = readTrial(layout);
  if ((trial?.begun ?? 0) === 0) return trial;
  const found = readStatus(layout);
  // A daemon that lives knows whether what was begun is under way, or was lost with the one before.
  const isUnderWay = found.daemon === 'alive' && found.status.suspendGivenUp === undefined;
  return trial && isUnderWay ? { ...trial, begun: 0 } : trial;
}

async function clear(layout: Layout): Promise<void> {
  const { clearVerdicts } = await import('../../domain/verdicts.ts');
  const { discard, sizeIfThere } = await import('../../system/files/files.ts');
  const { forgetVm } = await import('../../vm/kept-vm.ts');
  clearVerdicts(layout.verdicts);
  if (sizeIfThere(layout.vmRecord) !== undefined) forgetVm(layout);
  discard(layout.imageRejected);
  discard(layout.suspendTrial);
}

export const nothingTried = 'Nothing has been tried since this machine booted.';

/** What `verdicts --clear` has forgotten. */
export function clearedWords(verdicts: readonly Shown[]): Text {
  const against = verdicts.filter(({ works }) => !works);
  // One way may have been tried with several builds of a program.
  const names = [...new Set(against.map(({ subject, way }) => `${subject} ${way}`))].join(', ');
  return against.length === 0
    ? 'There was nothing to forget.'
    : advice`Forgotten: ${names}. The next start will try again. To try now: ${ours('restart')}`;
}

/** One verdict for a person: what, since when, why, and what mends it. */
export function verdictLines({ subject, way, works, at, why, remedy, holdsUntil }: Shown): Text[] {
  const until = ends[holdsUntil];
  return [
    `${subject} ${way}: ${works ? 'works' : 'does not work'} (found ${at}; valid ${until})`,
    ...[why, remedy].filter((text) => text !== undefined).map((text) => advice`  ${text}`),
  ];
}

const ends: Readonly<Record<Shown['holdsUntil'], string>> = {
  'host-boot': 'until this machine reboots',
  'vm-build': 'until the VM program is updated',
  day: 'for a day',
  'image-build': 'until the next image build',
};
