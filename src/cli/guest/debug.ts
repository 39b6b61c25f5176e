/** Brings what a derivation's build sees into the guest, has it built there, and is in the build when it has failed. */
import { randomBytes } from 'node:crypto';
import type { Layout } from '../../config/layout.ts';
import { debugScript, requestScript, staying } from '../../guest/debug/debug-script.ts';
import { buildRequest } from '../../nix/derivation/build-request.ts';
import { toDebug, type ToDebug } from '../../nix/derivation/to-debug.ts';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { shellWord } from '../../system/shell.ts';
import type { CliContext } from '../../command/context.ts';
import { bringInputs, lastWords } from './bring-inputs.ts';
import { intoGuest, type IntoGuest } from './into-guest.ts';
import { advice, ours } from '../../system/advice.ts';

/** The exit code of what ran there. Failed where there was nothing to run it in. */
export async function debug(
  path: string,
  command: readonly string[],
  layout: Layout,
  context: CliContext,
): Promise<number> {
  const drv = toDebug(path, context.env['LINUXKIT_BUILDER_TREE'] ?? '');
  const guest = await intoGuest(layout, context);
  const { builder } = guest.status;
  const systems: readonly string[] =
    builder === undefined ? [] : [builder.system, ...(builder.extraSystems ?? [])];
  const { system } = drv.derivation;
  // A daemon that begins does not say yet.
  if (systems.length > 0 && !systems.includes(system)) throw new Failed(notOurs(system, systems));
  await bringInputs(drv.inputs, { env: guest.env, sshConfig: layout.sshConfig }, context);
  const token = `.linuxkit-builder-${randomBytes(12).toString('hex')}`;
  const dir = await sendRequest({ ...drv, command, token }, guest, context);
  const terminal = command.length === 0 && process.stdin.isTTY && context.isTTY;
  const words = [dir, token, drv.name, terminal ? 'terminal' : 'pipes'];
  const script = `set -- ${words.map(shellWord).join(' ')}\n${debugScript('')}`;
  const argv = [terminal ? '-t' : '-T', ...guest.argv('root'), '--', script];
  const { ended } = await run(guest.ssh, argv, { terminal: true, env: guest.env });
  return ended.kind === 'exited' ? ended.code : Exit.unavailable;
}

interface DebugRequest extends ToDebug {
  readonly command: readonly string[];
  readonly token: string;
}

/** Where in the guest it is. */
async function sendRequest(
  { path, derivation, inputs, command, token }: DebugRequest,
  { ssh, argv, env }: IntoGuest,
  { signal }: CliContext,
): Promise<string> {
  const { builder, args } = derivation;
  const words = command.map((word) => Buffer.from(word).toString('latin1'));
  const stays = { ...derivation, ...staying({ builder, args, command: words, token }) };
  const input = buildRequest({ path, derivation: stays, inputs });
  const sent = await run(ssh, [...argv('root'), '--', requestScript], { input, env, signal });
  const dir = sent.stdout.trim();
  if (!succeeded(sent) || !/^\/run\/linuxkit-builder\.debug\.\w+$/.test(dir))
    throw new Failed(notSent(sent));
  return dir;
}

/** The builder does not build for the derivation's system. `systems`: those that it builds for. */
export const notOurs = (system: string, systems: readonly string[]): Failure => ({
  kind: 'system-not-built',
  message: `This derivation is for ${system}, but this builder builds for ${systems.join(', ')}.`,
  hint: advice`To see what else keeps it from being built here: ${ours('explain', 'DERIVATION')}`,
  exit: Exit.dataError,
});

/** `ran`: the ssh that was to put the request there. */
export const notSent = (ran: CommandResult): Failure => ({
  kind: 'guest-not-entered',
  message: 'Cannot log in to the guest as root, or cannot write there.',
  hint: advice`Try ${ours('ssh', '--root')}. To find out what is wrong: ${ours('doctor')}`,
  exit: Exit.unavailable,
  lines: lastWords(ran),
});
