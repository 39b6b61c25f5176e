import { expect, test } from 'vitest';
import type { Counts } from '../../src/door/through.ts';
import { Client, doorRig, echoing, fakeGuest, greetingLine, until } from './rig.ts';

/** Through the door, one by one. */
async function come(port: number, count: number): Promise<Client[]> {
  const clients = Array.from({ length: count }, () => new Client(port));
  await until(() => clients.every(({ text }) => text === greetingLine));
  return clients;
}

// Behaviour 73: The guest says which connections have logged in. The others neither delay a stop, nor keep the host
// awake, nor keep their place at the door for long; but if the guest cannot tell, all connections that have reached
// it count as logged in.
test('where the guest does not tell, all that are through count as logged in', async () => {
  const told: number[] = [];
  await using rig = await doorRig({ onChange: ({ loggedIn }: Counts) => told.push(loggedIn) });
  await using guest = await fakeGuest(echoing);
  rig.door.release(guest.tunnel);
  const [client] = await come(rig.port, 2);
  expect(told).toEqual([1, 2]);
  client?.socket.end();
  await until(() => rig.door.counts().open === 1);
  expect(told).toEqual([1, 2, 1]);
});

test('who waited for the guest has all its time to log in, from its greeting on', async () => {
  await using rig = await doorRig();
  await using guest = await fakeGuest(echoing);
  const client = new Client(rig.port);
  await until(() => rig.door.counts().held === 1);
  await rig.clock.advance(60_000);
  rig.door.release(guest.tunnel, 20_000);
  rig.door.tellLoggedIn(0);
  await until(() => client.text === greetingLine);
  expect(rig.door.counts()).toMatchObject({ open: 1, loggedIn: 0, entering: 1 });
  await rig.clock.advance(20_000);
  expect(rig.door.counts()).toMatchObject({ open: 1, loggedIn: 0, entering: 0 });
  client.socket.destroy();
});

test('where it tells, a newcomer does not count until he is told of, and whoever goes counts no more', async () => {
  const told: number[] = [];
  await using rig = await doorRig({ onChange: ({ loggedIn }: Counts) => told.push(loggedIn) });
  await using guest = await fakeGuest(echoing);
  rig.door.release(guest.tunnel);
  rig.door.tellLoggedIn(0);
  const [first, second] = await come(rig.port, 2);
  expect(rig.door.counts()).toMatchObject({ open: 2, loggedIn: 0 });
  rig.door.tellLoggedIn(1);
  expect(told.at(-1)).toBe(1);
  rig.door.tellLoggedIn(2);
  // Both had logged in, so one of them went.
  first?.socket.end();
  await until(() => rig.door.counts().open === 1);
  expect(told.at(-1)).toBe(1);
  await come(rig.port, 1);
  expect(rig.door.counts()).toMatchObject({ open: 2, loggedIn: 1 });
  // It knows of others too, that came another way.
  rig.door.tellLoggedIn(5);
  expect(rig.door.counts().loggedIn).toBe(2);
  second?.socket.end();
  await until(() => rig.door.counts().open === 1);
  expect(rig.door.counts().loggedIn).toBe(1);
  // It fell silent: nobody is taken for a stranger.
  rig.door.tellLoggedIn(0);
  rig.door.tellLoggedIn(undefined);
  expect(rig.door.counts().loggedIn).toBe(1);
});

test('a newcomer may be logging in for a third of his time', async () => {
  await using rig = await doorRig();
  await using guest = await fakeGuest(echoing);
  rig.door.release(guest.tunnel, 30_000);
  await come(rig.port, 1);
  // Where the guest does not tell, he counts as one who has.
  expect(rig.door.counts()).toMatchObject({ loggedIn: 1, entering: 0 });
  rig.door.tellLoggedIn(0);
  await rig.clock.advance(9_999);
  await come(rig.port, 1);
  expect(rig.door.counts()).toMatchObject({ loggedIn: 0, entering: 2 });
  await rig.clock.advance(1);
  expect(rig.door.counts()).toMatchObject({ loggedIn: 0, entering: 1 });
  rig.door.tellLoggedIn(2);
  expect(rig.door.counts()).toMatchObject({ loggedIn: 2, entering: 0 });
});
