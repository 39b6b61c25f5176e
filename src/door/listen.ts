/** The door's own port, and why it cannot be had. */
import type { Server } from 'node:net';
import { Exit, Failed, errorCode } from '../system/failure.ts';
import { portOwner } from './port-owner.ts';

const host = '127.0.0.1';

/** Failed `door-port-taken`, `door-port-forbidden`, `door-port-unusable`. */
export async function listen(server: Server, port: number): Promise<void> {
  const error = await new Promise<Error | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen(port, host, () => {
      server.off('error', resolve);
      resolve(undefined);
    });
  });
  if (error !== undefined) throw await cannotListen(port, error);
}

async function cannotListen(port: number, error: Error): Promise<Failed> {
  const other = 'Choose another port: linuxkit-builder configure --port NUMBER.';
  if (errorCode(error) === 'EADDRINUSE') {
    const owner = await portOwner(port);
    return new Failed({
      kind: 'door-port-taken',
      message: `Port ${port} on ${host} is taken${owner === undefined ? ' by another process' : ` by ${owner}`}.`,
      hint: `End that process, or choose another port: linuxkit-builder configure --port NUMBER.`,
      exit: Exit.unavailable,
      recovery: 'wait',
    });
  }
  // With IPv6 alone: a network namespace, say, where somebody has taken the other away.
  if (errorCode(error) === 'EADDRNOTAVAIL')
    return new Failed({
      kind: 'door-port-unusable',
      message: `Cannot listen on ${host}: this machine has no such address now.`,
      hint: 'Give its loopback interface that address; or let the front door be a socket: linuxkit-builder configure --door unix.',
      exit: Exit.osError,
    });
  const message = `Cannot listen on port ${port} of ${host}: ${error.message}.`;
  const [kind, exit, recovery] = ['EACCES', 'EPERM'].includes(errorCode(error) ?? '')
    ? (['door-port-forbidden', Exit.noPermission, 'give-up'] as const)
    : (['door-port-unusable', Exit.osError, 'retry'] as const);
  const hint = `Ports below 1024 are root's. ${other}`;
  return new Failed({ kind, message, hint, exit, recovery }, { cause: error });
}
