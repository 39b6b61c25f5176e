import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GuestAgent } from '../../src/guest/agent/agent.ts';
import type { BootNews } from '../../src/supervisor/health/boot-watch.ts';
import { Claims } from '../../src/supervisor/health/claims.ts';
import { guestPanicked } from '../../src/domain/guest-panicked.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

const claim = { type: 'claim', news: [{ type: 'lost', failure: guestPanicked('x', []) }] } as const;

/** A guest that got ready at an uptime of 30 s, and what is told of it; `says`: what it answers, if it does. */
async function guest(says: { readonly code: number; readonly uptimeS: number } | undefined) {
  const dir = mkdtempSync(join(tmpdir(), 'claims-'));
  const server = await FakeAgent.listen(join(dir, 'agent'));
  server.odd = ({ execute }) => {
    if (execute !== 'guest-exec-status') return undefined;
    const data = Buffer.from(`${says?.uptimeS ?? ''}\n`).toString('base64');
    return says === undefined
      ? ''
      : `{"return": {"exited": true, "exitcode": ${says.code}, "out-data": "${data}"}}\n`;
  };
  const clock = new FakeClock();
  const told: string[] = [];
  let heard = (): void => undefined;
  const tell = (what: string) => {
    told.push(what);
    heard();
  };
  const stop = new AbortController();
  const agent = new GuestAgent({ path: join(dir, 'agent'), clock });
  const claims = new Claims({
    agent,
    clock,
    signal: stop.signal,
    log: (_level, event) => tell(event),
    uptimeS: () => 30,
    onTrue: (news: BootNews) => tell(news.type),
  });
  return {
    claims,
    told,
    clock,
    server,
    news: () => new Promise<void>((resolve) => (heard = resolve)),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('over'));
      agent.close();
      server.close();
      await clock.advance(0);
      removeTree(dir);
    },
  };
}

// Behaviour 174: No line on the console, whoever wrote it, is enough to make the daemon stop a guest that was ready:
// the daemon first checks with the guest itself whether the line is true. While the guest is booting, such a line
// alone is enough.
test.each([
  ['goes on', { code: 0, uptimeS: 69.5 }, 'guest-goes-on'],
  ['takes no more writes', { code: 1, uptimeS: 0 }, 'lost'],
  ['was booted anew', { code: 0, uptimeS: 4.2 }, 'lost'],
  ['answers what is no time', { code: 0, uptimeS: NaN }, 'lost'],
])('a guest that %s', async (_, says, what) => {
  await using it = await guest(says);
  const heard = it.news();
  it.claims.take(claim);
  await heard;
  expect(it.told).toEqual([what]);
});

test('one that answers nothing for 20 s is lost; thousands of lines are one question', async () => {
  await using it = await guest(undefined);
  for (let n = 0; n < 1000; n++) it.claims.take(claim);
  for (let n = 0; n < 4; n++) {
    expect(it.told).toEqual([]);
    await it.clock.waiting();
    await it.clock.advance(5_000);
    await it.clock.advance(250);
  }
  expect(it.told).toEqual(['lost']);
  const asked = it.server.requests.filter(({ execute }) => execute === 'guest-exec').length;
  expect(asked).toBeLessThanOrEqual(4);
});

test('what is not answered when the VM ends was so, once; what was answered, or never said, was not', async () => {
  await using it = await guest(undefined);
  it.claims.believe();
  expect(it.told).toEqual([]);
  it.claims.take(claim);
  it.claims.believe();
  it.claims.believe();
  expect(it.told).toEqual(['lost']);
  for (let n = 0; n < 4; n++) {
    await it.clock.waiting();
    await it.clock.advance(5_000);
    await it.clock.advance(250);
  }
  expect(it.told).toEqual(['lost']);
});

test('an answer is the end of a claim', async () => {
  await using it = await guest({ code: 0, uptimeS: 69.5 });
  const heard = it.news();
  it.claims.take(claim);
  await heard;
  it.claims.believe();
  expect(it.told).toEqual(['guest-goes-on']);
});

test('a claim that comes while it is asked is asked about as well, a second later', async () => {
  const answers = { code: 0, uptimeS: 69.5 };
  await using it = await guest(answers);
  const first = it.news();
  it.claims.take(claim);
  it.claims.take(claim);
  await first;
  answers.code = 1;
  const second = it.news();
  await it.clock.waiting();
  await it.clock.advance(1_000);
  await second;
  expect(it.told).toEqual(['guest-goes-on', 'lost']);
});
