/** The door's own port, and why it cannot be had. */
import type { Server } from 'node:net';
import { Exit, Failed, errorCode, type Failure } from '../system/failure.ts';
import { refusal } from '../system/files/reasons.ts';
import { loopback as host, loopbackFault } from '../system/host/loopback.ts';
import { portOwner } from './port-owner.ts';
import { advice, ours } from '../system/advice.ts';

/** Failed `door-port-taken`, `door-port-forbidden`, `door-port-unusable`; `loopback-down` where nobody could come to it. */
export async function listen(server: Server, port: number): Promise<void> {
  const error = await new Promise<Error | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen(port, host, () => {
      server.off('error', resolve);
      resolve(undefined);
    });
  });
  if (error === undefined) {
    const fault = await loopbackFault();
    // A machine that is very busy is not to keep the door shut.
    if (fault?.kind !== 'loopback-down') return;
    server.close();
    throw new Failed(fault);
  }
  const owner = errorCode(error) === 'EADDRINUSE' ? await portOwner(port) : undefined;
  throw new Failed(portFailure(port, error, owner), { cause: error });
}

/** What a system error of listen(2) means. owner: the process that has the port, where it is known. */
export function portFailure(port: number, error: Error, owner?: string): Failure {
  const code = errorCode(error) ?? '';
  if (code === 'EADDRINUSE') return portTaken(port, owner);
  if (code === 'EADDRNOTAVAIL') return noAddress;
  const message = `Cannot listen on port ${port} of ${host}: ${refusal(error)}.`;
  if (code === 'EACCES' || code === 'EPERM') return portForbidden(port, message);
  return {
    kind: 'door-port-unusable',
    message,
    hint: advice`Remove the cause, then run ${ours('restart')}. Or choose ${otherPort}`,
    exit: Exit.osError,
  };
}

const otherPort = advice`another port: ${ours('configure', '--port NUMBER')}`;

const portTaken = (port: number, owner = 'another process'): Failure => ({
  kind: 'door-port-taken',
  message: `Port ${port} on ${host} is already in use by ${owner}.`,
  hint: advice`Stop that process, or choose ${otherPort}`,
  exit: Exit.unavailable,
  recovery: 'wait',
});

/** With IPv6 alone: a network namespace, say, where somebody has taken the other away. */
const noAddress: Failure = {
  kind: 'door-port-unusable',
  message: `Cannot listen on ${host}: this machine does not have that address.`,
  hint: advice`Add the address to the loopback interface, or use a socket instead: ${ours('configure', '--door unix')}`,
  exit: Exit.osError,
};

const portForbidden = (port: number, message: string): Failure => ({
  kind: 'door-port-forbidden',
  message,
  hint: advice`${port < 1024 ? 'Only root can use ports below 1024. ' : ''}Choose ${otherPort}`,
  exit: Exit.noPermission,
  recovery: 'give-up',
});
