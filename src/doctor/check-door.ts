/** The front door: whether it is open, and leads to an ssh. */
import { drained, isDrained } from '../client/drained.ts';
import { canConnect, firstWords } from '../system/socket/connected.ts';
import { describePlace, type DoorPlace } from '../door/entrance.ts';
import { portOwner } from '../door/port-owner.ts';
import type { Failure } from '../system/failure.ts';
import type { CheckVerdict } from './check-runner.ts';
import { loopbackFault } from '../system/host/loopback.ts';
import { isAway, type DoctorFacts } from './facts.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** Whether a door that is a port can be reached at all. */
export async function checkLoopback({ config }: DoctorFacts): Promise<CheckVerdict> {
  return config().door === 'unix' ? withoutPort : judgeLoopback(await loopbackFault());
}

/** What goes over 127.0.0.1 does not concern a socket. */
export const withoutPort: CheckVerdict = {
  kind: 'not-asked',
  code: 'door-is-socket',
  why: 'the front door is a Unix socket',
};

/** `fault`: why no connection to ourselves came through; undefined where one did. */
export const judgeLoopback = (fault: Failure | undefined): CheckVerdict =>
  fault === undefined
    ? { kind: 'good', fact: '127.0.0.1 accepts connections' }
    : {
        kind: 'bad',
        code: 'loopback-unreachable',
        failure: fault.kind,
        what: fault.message,
        why: '',
        remedy: fault.hint,
      };

/** Whether the door answers, and with sshd's greeting. A guest that is away is not woken for it. One that is drained has nothing to say. */
export async function checkDoor(facts: DoctorFacts): Promise<CheckVerdict> {
  if (isDrained(facts.status())) return isOnPurpose;
  const { signal } = facts.context;
  const place = placeOf(facts);
  const where = describePlace(place);
  // Who says nothing wakes nobody.
  if (isAway(facts) && (await canConnect(whereIs(place), signal)))
    return { kind: 'good', fact: `${where} is open; the next build will start the guest` };
  const banner = await bannerOf(place, signal);
  if (banner?.startsWith('SSH-') === true)
    return { kind: 'good', fact: `${where} leads to ${banner}` };
  return judgeDoor(place, banner, place.kind === 'tcp' ? await portOwner(place.port) : undefined);
}

/** Somebody ran `drain`, and nothing is to be mended. */
const isOnPurpose: CheckVerdict = {
  kind: 'note',
  code: 'drained',
  fact: drained.message,
  why: drained.hint,
};

/** Of a door that leads to no ssh; `owner`: who has the port. */
export function judgeDoor(
  place: DoorPlace,
  banner: string | undefined,
  owner: string | undefined,
): CheckVerdict {
  const where = describePlace(place);
  const stopIt =
    owner === undefined ? '' : "Stop that process, unless it is the builder's daemon; then ";
  return {
    kind: 'bad',
    code: banner === undefined ? 'door-closed' : 'door-not-ssh',
    what:
      banner === undefined
        ? `Nothing answers on ${where}.`
        : `Something other than ssh answers on ${where}: ${JSON.stringify(banner)}.`,
    why: owner === undefined ? '' : `The port is held by ${owner}.`,
    remedy: advice`${stopIt}${ours('restart')}${place.kind === 'tcp' ? otherPort(place.port) : ''}`,
  };
}

const otherPort = (port: number): Text =>
  advice`, or another port: ${ours('configure', `--port ${port < 65535 ? port + 1 : port - 1}`)}`;

/** Where the daemon says that it listens; before it does, where it is to. */
function placeOf({ status, config, systemPaths }: DoctorFacts): DoorPlace {
  const { door: told } = status();
  if (told?.socket !== undefined) return { kind: 'unix', path: told.socket };
  if (told?.port !== undefined) return { kind: 'tcp', port: told.port };
  const { door, port } = config();
  return door === 'tcp'
    ? { kind: 'tcp', port }
    : { kind: 'unix', path: systemPaths.roots.doorSocket };
}

const whereIs = (place: DoorPlace) => ({
  ...(place.kind === 'tcp' ? { port: place.port, host: '127.0.0.1' } : { path: place.path }),
  timeout: 10_000,
});

/** The first line that a listener says; undefined when nobody listens, or says nothing in 10 s. */
async function bannerOf(place: DoorPlace, signal: AbortSignal): Promise<string | undefined> {
  const isEnough = (heard: string) => heard.includes('\n') || heard.length > 255;
  const said = await firstWords(whereIs(place), { isEnough, signal });
  return said === '' ? undefined : said.split('\r')[0]?.split('\n')[0];
}
