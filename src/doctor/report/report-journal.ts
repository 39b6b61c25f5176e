/** What systemd's journal has of our unit. */
import type { Layout } from '../../config/layout.ts';
import type { CliContext } from '../../command/context.ts';
import { serviceFor } from '../../service/service.ts';
import { unitName } from '../../service/systemd/systemd-unit.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';

/** In entries, and in bytes of what journalctl prints of them. */
const most = 300;
const mostBytes = 1024 * 1024;

/** Its newest lines, oldest first; undefined where no unit is ours, or where it cannot be read. */
export async function journalLines(
  layout: Layout,
  context: CliContext,
): Promise<readonly string[] | undefined> {
  const service = serviceFor(layout, context);
  const journalctl = tryProgram('journalctl', context.env['PATH']);
  if (service?.name !== 'systemd' || journalctl === undefined) return undefined;
  const scope = service.starts === 'boot' ? [] : ['--user'];
  // The newest first: of more than the bound the older ones are left out. An entry is one line, however many its message has.
  const how = ['--reverse', '--output=json', '--no-pager', '--quiet', `--lines=${most}`];
  const argv = [...scope, `--unit=${unitName}`, ...how];
  const { signal } = context;
  const ran = await run(journalctl, argv, { timeoutMs: 10_000, signal, maxBytes: mostBytes });
  const lines = ran.stdout.split('\n');
  // The last is empty, or cut through: of that nobody would know what is secret in it.
  const whole = lines.slice(0, -1);
  if (!succeeded(ran) && whole.length === 0) return undefined;
  return whole.reverse().flatMap(entryLines);
}

/** With its time, as our log of a console has it. journalctl writes bytes where they are no text, and nothing in the place of what is long. */
function entryLines(json: string): readonly string[] {
  const { MESSAGE: text, __REALTIME_TIMESTAMP: micros } = entryOf(json);
  const time = new Date(Number(micros) / 1000);
  if (typeof text !== 'string' || Number.isNaN(time.getTime())) return [];
  return text.split('\n').map((line) => `${time.toISOString()} ${line}`);
}

function entryOf(json: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(json));
  } catch {
    return {};
  }
}
