/** Builds that arrive while the guest goes away, is away, and comes back: none may fail for it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fact } from '../real/command.ts';
import type { BuilderRig, LogLine } from '../real/rig.ts';
import type { HostDaemon } from './host-daemon.ts';
import { Chance } from './random.ts';
import type { WatchedLog } from './watched-log.ts';

/** When a build is begun: beside a `suspend`, in the midst of an absence, or beside a `resume`; so much later than that. */
export interface Arrival {
  readonly beside: 'suspend' | 'absence' | 'resume';
  /** Below 0: the build is begun first. */
  readonly afterMs: number;
}

/** One that came. */
export interface Came {
  /** What the guest did when the build's connection came to the door. */
  readonly step: string;
  /** The exit code of nix-build. */
  readonly end: number | string;
  readonly tookMs: number;
}

/** How the guest went that is away. */
export type Gone = 'suspend' | 'stop';

/** Each as the one before: the guest is away. */
export function* inAbsence(): Generator<Arrival, never> {
  for (;;) yield { beside: 'absence', afterMs: 0 };
}

/** Without end: half of them beside a `suspend`, where the steps are short. */
export function* arrivals(seed: number): Generator<Arrival, never> {
  const chance = new Chance(seed);
  for (;;)
    for (const beside of chance.shuffle(['suspend', 'suspend', 'absence', 'resume'] as const))
      yield { beside, afterMs: beside === 'absence' ? 0 : chance.below(1_600) - 400 };
}

/** What the guest did before the last line: its phase, and how far its end had come. */
export function stepAt(lines: readonly LogLine[]): string {
  let step = 'stopped';
  for (const { event, phase, name } of lines)
    if (event === 'phase') step = String(phase);
    else if (step.startsWith('stopping') && event === 'vm-ended') step = 'stopping, without a VM';
    else if (step === 'stopping' && event === 'seen' && name === 'stop')
      step = 'stopping, the guest shuts down';
  return step;
}

/** A daemon whose guest goes when it is told to, each time in that way; its log has each arrival. */
export async function beginOnDemand(rig: BuilderRig, gone: Gone = 'suspend'): Promise<void> {
  const { config } = rig.layout;
  const settings = JSON.parse(readFileSync(config, 'utf8')) as object;
  const idle = gone === 'stop' ? { idle: { how: 'stop', after: '168 h' } } : {};
  // On a machine that much else runs on a boot takes longer than a build is held for by default.
  const ours = { ...idle, holdSeconds: 900, verbose: true, start: 'demand' };
  writeFileSync(config, JSON.stringify({ ...settings, ...ours }));
  rig.begin('daemon');
  await rig.reaches('away');
}

export interface ArrivalBuilder {
  readonly rig: BuilderRig;
  readonly log: WatchedLog;
  readonly host: HostDaemon;
}

export async function playArrival(
  { rig, log, host }: ArrivalBuilder,
  { beside, afterMs }: Arrival,
  name: string,
): Promise<Came> {
  // What it begins from.
  await rig.cli(beside === 'suspend' ? 'resume' : 'suspend');
  const begun = await rig.reaches(beside === 'suspend' ? 'ready' : 'away');
  const before = log.length;
  const command = () => (beside === 'absence' ? undefined : rig.begin(beside));
  const first = afterMs < 0 ? undefined : command();
  if (afterMs > 0) await pause(afterMs);
  const from = performance.now();
  const build = host.build(name);
  if (afterMs < 0) await pause(-afterMs);
  const told = first ?? command();
  const end = await build.ended;
  const tookMs = performance.now() - from;
  await told?.ended;
  await log.until('the arrival', ({ event }) => event === 'door-arrival', before);
  const at = log.lines.findIndex(({ event }, n) => n >= before && event === 'door-arrival');
  // The next one begins from a guest that has settled.
  await fact('the guest is there, or away', () =>
    ['ready', 'away'].includes(rig.status()?.phase ?? ''),
  );
  const step = stepAt(log.lines.slice(0, at));
  return { step: step === 'away' ? `away, ${begun.away?.guest ?? 'since'}` : step, end, tookMs };
}

/** The last line of a run. */
export function arrivalsSummary(all: readonly Came[], seed: number): string {
  const steps = new Map<string, number>();
  for (const { step } of all) steps.set(step, (steps.get(step) ?? 0) + 1);
  const words = [...steps].sort(([a], [b]) => (a < b ? -1 : 1)).map((each) => each.join(' '));
  const failed = all.filter(({ end }) => end !== 0).length;
  const longest = Math.max(0, ...all.map(({ tookMs }) => tookMs)) / 1000;
  return `chaos: ${all.length} arrivals; in ${words.join('; ')}; ${failed} builds failed; the longest took ${longest.toFixed(1)} s; seed ${seed}`;
}
