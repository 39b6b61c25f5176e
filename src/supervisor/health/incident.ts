/** What was there when a guest froze or died: kept for whoever asks why. A few of them, each small. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, failureOf, type Failure } from '../../system/failure.ts';
import { makeDirectory, readIfThere, writeWhole } from '../../system/files/files.ts';
import type { Log } from '../../system/log.ts';
import { harmless } from '../../system/plain-text.ts';
import type { VmControl } from '../../vm/vm-driver.ts';
import type { Facts } from '../status/status-schema.ts';

/** Incidents kept; the oldest go. */
const kept = 10;
const describeMs = 3_000;
/** Of each of the two files of one. */
const maxBytes = 100_000;

/** What is written down of one. */
export interface Incident {
  readonly failure: Failure;
  readonly facts: Facts;
  /** The console's last lines. */
  readonly lines: readonly string[];
  readonly machine: VmControl | undefined;
}

/** Keeps one and says where. One that cannot be kept is a line in the log: what it tells of has to be ended all the same. */
export async function keepIncident(
  incident: Incident,
  { layout, clock, log }: { readonly layout: Layout; readonly clock: Clock; readonly log: Log },
): Promise<void> {
  try {
    log('warn', 'incident', { folder: await save(layout, incident, clock) });
  } catch (error) {
    log('warn', 'incident-not-kept', { failure: failureOf(error) });
  }
}

/** The folder's path. What the VM program cannot say within 3 s is left out. */
async function save(layout: Layout, incident: Incident, clock: Clock): Promise<string> {
  const { failure, facts, lines, machine } = incident;
  const folder = join(layout.incidents, new Date(clock.now()).toISOString().replaceAll(':', '-'));
  makeDirectory(folder);
  writeWhole(join(folder, 'console.txt'), newest(lines), { durable: false });
  const vm = machine === undefined ? 'not running' : await describe(machine, clock);
  writeWhole(join(folder, 'state.json'), stateOf(failure, facts, vm), { durable: false });
  for (const old of readdirSync(layout.incidents).sort().slice(0, -kept))
    rmSync(join(layout.incidents, old), { recursive: true, force: true });
  return folder;
}

/** The last lines, as many as there is room for. */
function newest(lines: readonly string[]): string {
  const text = Buffer.from(`${lines.join('\n')}\n`);
  const end = text.subarray(-maxBytes);
  const from = text.length > maxBytes ? end.indexOf('\n') + 1 : 0;
  return end.toString('utf8', from);
}

/** JSON in any case: what would be too long is left out, and last what `status` tells. */
function stateOf(failure: Failure, facts: Facts, vm: unknown): string {
  const text = (state: unknown) => `${JSON.stringify(state, harmless, 2)}\n`;
  const left = `left out: more than ${maxBytes} bytes`;
  const { lines, ...short } = failure;
  const fits = [
    { failure, facts, vm },
    { failure, facts, vm: left },
  ].find((state) => Buffer.byteLength(text(state)) <= maxBytes);
  return text(fits ?? { failure: short, lines: lines && left, facts: left, vm: left });
}

/** The last one, as `status` tells it. */
export interface LastIncident {
  /** Wall time, ISO 8601. */
  readonly at: string;
  readonly kind: string;
  readonly message: string;
  /** Where its console and state are kept. */
  readonly folder: string;
}

/** The newest incident that is kept; undefined when there was none. */
export function lastIncident({ incidents }: Layout): LastIncident | undefined {
  try {
    const name = readdirSync(incidents).sort().at(-1);
    if (name === undefined) return undefined;
    const folder = join(incidents, name);
    const { failure } = JSON.parse(readIfThere(join(folder, 'state.json')) ?? '{}') as {
      failure?: Partial<Failure>;
    };
    const { kind = 'unknown', message = '' } = failure ?? {};
    const at = name.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:');
    return { at, kind, message, folder };
  } catch {
    // No folder, or one that somebody cut off: it is a fact beside the others.
    return undefined;
  }
}

async function describe(machine: VmControl, clock: Clock): Promise<unknown> {
  try {
    return await within(() => machine.describe(), {
      clock,
      timeoutMs: describeMs,
      late: () => vmMute,
    });
  } catch (error) {
    return `not known: ${failureOf(error).message}`;
  }
}

export const vmMute: Failure = {
  kind: 'vm-mute',
  message: 'The VM program does not answer.',
  hint: '',
  exit: Exit.temporary,
};
