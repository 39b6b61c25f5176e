/** What is worst for each protocol of JSON lines that others speak with us. */
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from './fast-check.ts';
import { afterAll, describe, expect } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { GuestAgent } from '../../src/guest/agent/agent.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { ask } from '../../src/supervisor/daemon/ask-daemon.ts';
import { Failed } from '../../src/system/failure.ts';
import { plainText } from '../../src/system/plain-text.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';
import { calm, nobody } from '../fakes/commands.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { hostileAnswers } from './hostile.ts';
import { anyBytes, holds } from './property.ts';
import { removeTree } from '../remove-tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'fuzz-words-'));
afterAll(() => removeTree(dir));
let number = 0;

/** Lets time pass until all are over. */
async function settled(asked: readonly Promise<unknown>[], clock: FakeClock) {
  let over = false;
  const all = Promise.allSettled(asked).finally(() => (over = true));
  while (!over) await clock.advance(1000);
  return all;
}

// Behaviour 172: Whatever the guest's agent, QEMU or a client of the control socket sends, and however long or deeply
// nested it is, at worst one request fails, and the daemon carries on.
describe('a guest agent in step', () => {
  const forms = [
    '{"return":?}\n',
    '{"error":?}\n',
    '{"error":{"desc":?}}\n',
    '{"return":{"pid":?,"exited":true,"signal":?,"out-data":?}}\n',
    '{"return":{"exited":true,"exitcode":?}}\n',
    '?\n',
  ];
  holds(
    'that answers anything is an answer or a failure without what a terminal obeys',
    40,
    fc.asyncProperty(hostileAnswers(forms), async (said) => {
      const clock = new FakeClock();
      const path = join(dir, `s${number++}`);
      const server = await FakeAgent.listen(path);
      server.odd = ({ execute }) => (execute === 'guest-sync-delimited' ? undefined : said);
      const agent = new GuestAgent({ path, clock });
      const asked = [agent.time(), agent.exec('/bin/x', [], { timeoutMs: 3_000 }), agent.setTime()];
      for (const each of await settled(asked, clock)) {
        if (each.status === 'fulfilled') continue;
        expect(each.reason).toBeInstanceOf(Failed);
        const { message } = (each.reason as Failed).failure;
        expect(message).toBe(plainText(message));
        expect(message.length).toBeLessThan(300);
      }
      agent.close();
      server.close();
      expect(clock.pending).toBe(0);
    }),
  );
});

describe('the control socket', () => {
  const layout = { ...layoutOf(dir), control: join(dir, 'control.sock') };
  const todo = {
    ...calm,
    door: () => ({ ...nobody, open: 1 }),
    guest: () => Promise.reject(new Error('not now')),
  };
  const forms = [
    '{"command":?}\n',
    '{"command":"door","more":?}\n',
    '?\n',
    '{"command":"guest"}\n',
  ];
  holds(
    'answers whoever asks after one that says anything',
    40,
    fc.asyncProperty(fc.oneof(hostileAnswers(forms), anyBytes()), async (said) => {
      const control = await openControl(layout, todo, () => undefined);
      const socket = connect(layout.control).on('error', () => undefined);
      socket.resume().end(said);
      await once(socket, 'close');
      expect(await ask(layout, 'door', new FakeClock())).toEqual({ ...nobody, open: 1 });
      control.close();
    }),
  );
});
