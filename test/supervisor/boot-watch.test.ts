import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { GuestAgent } from '../../src/guest/agent/agent.ts';
import { BootWatch, type BootNews } from '../../src/supervisor/health/boot-watch.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

const layout = layoutOf(join(tmpdir(), 'nowhere'));
const tunnel = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;

function nameOf(news: BootNews): string {
  switch (news.type) {
    case 'stage':
      return news.name;
    case 'complaint':
      return news.what;
    case 'lost':
      return news.failure.kind;
    case 'claim':
      return `claim: ${news.news.map(nameOf).join(', ')}`;
  }
}

/** A boot whose console says what a test says, and how it ended if it did. */
function boot({ rebootsInPlace = false } = {}) {
  const clock = new FakeClock();
  const seen: string[] = [];
  const watch = new BootWatch({
    layout,
    clock,
    log: silent,
    agent: new GuestAgent({ path: layout.agent, clock }),
    lastLines: () => [],
    row: { rebootsInPlace },
  });
  const stop = new AbortController();
  const end: { failure?: { readonly kind: string; readonly message: string } } = {};
  let looks = 0;
  const look = () => {
    looks++;
    return Promise.resolve();
  };
  const over = watch.ready({ tunnel, look }, stop.signal).catch((error: unknown) => {
    end.failure = failureOf(error);
  });
  const says = (what: string) => {
    seen.push(...watch.read(`linuxkit-builder: ${what} uptime=2.5`).map(nameOf));
  };
  return { clock, seen, end, over, stop, says, looks: () => looks };
}

// Behaviour 37: A guest that is not ready 180 s after it began to boot is stopped, and the message names the first
// stage of the boot that it did not reach. The host's sleep does not count, nor does up to an hour of disk checking.
test('a boot that stays away is ended after 180 s, naming what is missing', async () => {
  const { clock, end, says } = boot();
  says('stage=init');
  await clock.advance(179_000);
  expect(end.failure).toBeUndefined();
  await clock.advance(1_100);
  expect(end.failure).toMatchObject({ kind: 'boot-timed-out' });
  expect(end.failure?.message).toContain("'seed'");
  expect(clock.due).toEqual([]);
});

test('the state of the VM is asked for every 2 s until it is over', async () => {
  const { clock, looks, over, stop } = boot();
  await clock.advance(10_000);
  expect(looks()).toBe(5);
  stop.abort(new Error('enough'));
  await over;
  await clock.advance(10_000);
  expect(looks()).toBe(5);
});

test('the time that a check of the disk takes does not count', async () => {
  const { clock, end, seen, says } = boot();
  for (const what of ['stage=init', 'stage=seed', 'stage=root', 'note=disk-check']) says(what);
  await clock.advance(1_200_000);
  expect(end.failure).toBeUndefined();
  says('stage=disk');
  await clock.advance(170_000);
  expect(end.failure).toBeUndefined();
  await clock.advance(11_000);
  expect(end.failure?.message).toContain("'network'");
  expect(seen).toEqual(['init', 'seed', 'root', 'disk']);
  expect(clock.due).toEqual([]);
});

test('a check that does not end is ended', async () => {
  const { clock, end, says } = boot();
  says('note=disk-check');
  await clock.advance(3_600_000 + 180_000);
  expect(end.failure).toMatchObject({ kind: 'boot-timed-out' });
  expect(clock.due).toEqual([]);
});

test('an end that is asked for in the midst of a check leaves nothing behind', async () => {
  const { clock, over, stop, says } = boot();
  says('note=disk-check');
  stop.abort(new Error('enough'));
  await over;
  await clock.advance(0);
  expect(clock.due).toEqual([]);
});

test('a guest that says more stages than any boot has fills no record, and says no stage twice', () => {
  const { seen, says } = boot();
  for (let n = 0; n < 1000; n++) says(`stage=s${n}`);
  for (let n = 0; n < 1000; n++) says('stage=s7');
  expect(seen).toHaveLength(50);
  says(`stage=${'x'.repeat(1000)}`);
  expect(seen).toHaveLength(50);
});

// Behaviour 174: No line on the console, whoever wrote it, is enough to make the daemon stop a guest that was ready:
// the daemon first checks with the guest itself whether the line is true. While the guest is booting, such a line
// alone is enough.
test('a service that ended and was begun anew is told of', () => {
  const { seen, says, stop } = boot();
  for (const what of ['note=disk-format', 'note=restarted-sshd', 'note=restarted']) says(what);
  expect(seen).toEqual(['restarted']);
  stop.abort(new Error('enough'));
});

test('a guest that was ready gives up no more: the line is a note', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'boot-watch-'));
  const path = process.env['PATH'];
  const put = (name: string, body: string) => {
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(dir, name), 0o755);
  };
  put('ssh', 'for command; do :; done\nexec sh -c "$command"');
  // A greeting of 1.10, an empty log, another, and the answer.
  const [daemon, last] = ['oixd\\0\\0\\0\\0', 'stla\\0\\0\\0\\0'];
  const zero = '\\0'.repeat(6);
  put('nix-daemon', `printf '${daemon}\\12\\1${zero}${last}${last}${zero}\\0\\0'`);
  process.env['PATH'] = `${dir}:${path ?? ''}`;
  try {
    const said: string[] = [];
    const watch = new BootWatch({
      layout,
      clock: systemClock,
      lastLines: () => [],
      row: { rebootsInPlace: false },
      agent: new GuestAgent({ path: layout.agent, clock: systemClock }),
      log: (_level, event, fields) => said.push(`${event} ${String(fields?.['name'])}`),
    });
    watch.read('linuxkit-builder: stage=sshd uptime=2.5');
    await watch.ready({ tunnel }, new AbortController().signal);
    expect(watch.read('linuxkit-builder: failed=disk-foreign uptime=9 reason=x')).toEqual([]);
    expect(said).toEqual(['guest-notes disk-foreign']);
  } finally {
    process.env['PATH'] = path;
    removeTree(dir);
  }
});

// Behaviour 85: If the guest reboots inside its VM process, the daemon treats it as lost and starts it again.
test.each([true, false])(
  'a first stage that comes again is a reboot where the VM process goes on with it (%s)',
  (rebootsInPlace) => {
    const { seen, says, stop } = boot({ rebootsInPlace });
    for (const stage of ['init', 'seed', 'init', 'seed']) says(`stage=${stage}`);
    expect(seen.includes('guest-rebooted')).toBe(rebootsInPlace);
    stop.abort(new Error('over'));
  },
);

test.each([
  ['[   69.253537] EXT4-fs error (vda): x: Remounting filesystem read-only', 'guest-read-only'],
  ['[   69.454124] Kernel panic - not syncing: x', 'guest-panicked'],
  ['linuxkit-builder: stage=init uptime=1.0', 'guest-rebooted'],
])('of a guest that was ready the line %j is a claim, and before that an end', (line, end) => {
  const [watch, booting] = [true, false].map((wasReady) => {
    const clock = new FakeClock();
    const agent = new GuestAgent({ path: layout.agent, clock });
    const options = { layout, clock, log: silent, agent, lastLines: () => [] };
    const each = new BootWatch({ ...options, row: { rebootsInPlace: true } });
    for (const stage of ['init', 'sshd']) each.read(`linuxkit-builder: stage=${stage} uptime=30.0`);
    if (wasReady) each.resumed();
    return each;
  });
  expect(watch?.read(line).map(nameOf).join()).toMatch(new RegExp(`^claim: .*${end}$`));
  expect(booting?.read(line).map(nameOf).at(-1)).toBe(end);
});

test('a guest that got ready is known by its uptime, whose clock may be slow or stand still for long', async () => {
  const clock = new FakeClock();
  const agent = new GuestAgent({ path: layout.agent, clock });
  const options = { layout, clock, log: silent, agent, lastLines: () => [] };
  const watch = new BootWatch({ ...options, row: { rebootsInPlace: true } });
  watch.read('linuxkit-builder: stage=sshd uptime=2.0');
  await clock.advance(100_000);
  watch.resumed();
  expect(watch.leastUptimeS).toBe(2);
  await clock.advance(40_000);
  expect(watch.leastUptimeS).toBe(22);
  await clock.advance(86_400_000);
  expect(watch.leastUptimeS).toBe(60);
});
