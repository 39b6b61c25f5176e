/** The front door as the supervisor uses it, when somebody has the builder left alone. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { doorNotes } from '../../src/supervisor/status/door-status.ts';
import { DoorControl } from '../../src/supervisor/daemon/door-control.ts';
import { checkConfig, type HostFacts } from '../../src/config/config.ts';
import { Client, echoing, fakeGuest, greetingLine, until, type FakeGuest } from '../door/rig.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { plainly } from '../../src/system/advice.ts';
import { removeTree } from '../remove-tree.ts';

const host: HostFacts = {
  arch: 'x64' as const,
  platform: 'linux' as const,
  cpus: 4,
  memoryMiB: 16_384,
  isLimited: false,
  diskGiB: 200,
  diskFreeGiB: 100,
  hasBattery: false,
};

const into = ({ tunnel }: FakeGuest) => ({
  tunnel,
  loginMs: 20_000,
  askLoggedIn: () => Promise.resolve(undefined),
});

async function gateRig() {
  let waited = 0;
  const logged: string[] = [];
  const log = (_: string, event: string) => void logged.push(event);
  const doorControl = new DoorControl(
    { clock: new FakeClock(), log, doorSocket: '/nowhere/socket' },
    { onWaiting: () => waited++ },
  );
  const parsed = checkConfig({}, host);
  if (!parsed.ok) throw new Error('the defaults are right');
  await doorControl.open({ ...parsed.config, port: 0 });
  doorControl.hold('the guest starts');
  return {
    doorControl,
    waited: () => waited,
    releases: () => logged.filter((event) => event === 'door-released').length,
    openAgain: () => doorControl.open({ ...parsed.config, port: 0 }),
    client: () => new Client(doorControl.told?.port ?? 0),
    [Symbol.asyncDispose]: () => doorControl.close(),
  };
}

// Behaviour 107: `drain` refuses new connections before they log in, in every phase, so that Nix uses other builders;
// connections that have already reached the guest continue. It lasts until `undrain` or until the daemon is
// restarted.
test('whoever waits and comes is sent off without a word, also when the guest goes and comes', async () => {
  await using rig = await gateRig();
  await using guest = await fakeGuest(echoing);
  const { doorControl } = rig;
  const waiting = rig.client();
  await until(() => doorControl.counts().held === 1);
  doorControl.drain(true, 'refuse');
  await until(() => waiting.over);
  expect(doorControl.told).toMatchObject({ draining: false, refusing: true });
  for (const change of [
    () => doorControl.release(into(guest)),
    () => doorControl.hold('the guest is away'),
    () => doorControl.drain(true, 'hold'),
    () => doorControl.drain(false, 'hold'),
  ]) {
    change();
    const client = rig.client();
    await until(() => client.over);
    expect(client.text).toBe('');
  }
  const later = () => rig.client();
  doorControl.drain(false, 'refuse');
  const held = later();
  await until(() => doorControl.counts().held === 1);
  expect(doorControl.told).toEqual({ port: expect.any(Number) as number, draining: false });
  doorControl.release(into(guest));
  await until(() => held.text === greetingLine);
});

test('those that are through go on, and it comes back to what the guest is', async () => {
  await using rig = await gateRig();
  await using guest = await fakeGuest(echoing);
  const { doorControl } = rig;
  doorControl.release(into(guest));
  const through = rig.client();
  await until(() => through.text === greetingLine);
  doorControl.drain(true, 'refuse');
  through.socket.write('more');
  await until(() => through.text === `${greetingLine}more`);
  doorControl.drain(false, 'refuse');
  const next = rig.client();
  await until(() => next.text === greetingLine);
  // A builder that has given up sends everybody off by itself.
  doorControl.refuse('it has given up');
  doorControl.drain(true, 'refuse');
  doorControl.drain(false, 'refuse');
  const late = rig.client();
  await until(() => late.over);
  expect(late.text).toBe('');
});

// Behaviour 131: While a garbage collection is running, the daemon, not the command `gc`, keeps new connections
// waiting. Killing `gc` therefore does not lock any client out.
test('a collection lets nobody in when its gc is killed, and lets all in when it ends', async () => {
  await using rig = await gateRig();
  await using guest = await fakeGuest(echoing);
  const { doorControl } = rig;
  doorControl.release(into(guest));
  doorControl.drain(true, 'hold');
  doorControl.withhold(true);
  doorControl.drain(false, 'hold');
  const client = rig.client();
  await until(() => doorControl.counts().held === 1);
  expect(rig.releases()).toBe(1);
  doorControl.withhold(false);
  expect(rig.releases()).toBe(2);
  await until(() => client.text === greetingLine);
});

test('so it stays where the door is opened anew, on another port say', async () => {
  await using rig = await gateRig();
  rig.doorControl.drain(true, 'refuse');
  await rig.openAgain();
  const client = rig.client();
  await until(() => client.over);
  expect([client.text, rig.waited()]).toEqual(['', 0]);
});

test('it becomes a socket where the settings say so, and a port again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gate-'));
  const doorSocket = join(directory, 'socket');
  const doorControl = new DoorControl({ clock: new FakeClock(), log: () => undefined, doorSocket });
  const parsed = checkConfig({}, host);
  if (!parsed.ok) throw new Error('the defaults are right');
  const config = { ...parsed.config, port: 0 };
  await doorControl.open({ ...config, door: 'unix' });
  expect(doorControl.told).toEqual({ socket: doorSocket, draining: false });
  await doorControl.open({ ...config, door: 'unix' });
  const client = new Client(doorSocket);
  await until(() => doorControl.counts().held === 1);
  await doorControl.open(config);
  await until(() => client.over);
  expect(doorControl.told).toEqual({ port: expect.any(Number) as number, draining: false });
  await doorControl.close();
  removeTree(directory);
});

// Behaviour 78: If the directory of the door's socket is lost, `status` says so, with a remedy, and the log says so
// once. The door listens again when the directory is back.
test('a socket that is lost is told of, once, until it is there again', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'gate-'));
  const directory = join(tree, 'door');
  mkdirSync(directory, { mode: 0o700 });
  const warned: string[] = [];
  let news = 0;
  const log = (level: string, event: string) => {
    if (level === 'warn') warned.push(event);
  };
  const doorSocket = join(directory, 'socket');
  const doorControl = new DoorControl(
    { clock: new FakeClock(), log, doorSocket },
    { onDoor: () => news++ },
  );
  const parsed = checkConfig({ door: 'unix' }, host);
  if (!parsed.ok) throw new Error('it is right');
  try {
    await doorControl.open(parsed.config);
    await doorControl.keep();
    expect(doorControl.told).toEqual({ socket: doorSocket, draining: false });
    removeTree(directory);
    for (let look = 0; look < 3; look++) await doorControl.keep();
    expect(plainly(doorControl.told?.trouble ?? '')).toContain(directory);
    expect(doorControl.told && plainly(doorNotes(doorControl.told))).toContain(directory);
    expect([warned, news]).toEqual([['door-lost'], 1]);
    mkdirSync(directory, { mode: 0o700 });
    await doorControl.keep();
    expect(doorControl.told).toEqual({ socket: doorSocket, draining: false });
    expect([warned, news]).toEqual([['door-lost'], 2]);
  } finally {
    await doorControl.close();
    removeTree(tree);
  }
});
