/** Files that people, other programs or a crash may have changed: any bytes, no crash, no false belief. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from './fast-check.ts';
import { afterAll, describe, expect } from 'vitest';
import { checkConfig, parseConfig, type HostFacts } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { readReceipts } from '../../src/host/receipts.ts';
import { lockHash, readLock } from '../../src/image/image-lock.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import { Failed } from '../../src/system/failure.ts';
import { readLive } from '../../src/system/files/pidfile.ts';
import { bootId, identify } from '../../src/system/process/process.ts';
import { keepVerdict, readVerdicts, verdictOn } from '../../src/domain/verdicts.ts';
import { bundleAt, readManifest } from '../../src/vm/boot-image.ts';
import { anyBytes, garbled, holds } from './property.ts';
import { removeTree } from '../remove-tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'fuzz-files-'));
afterAll(() => removeTree(dir));
const layout = layoutOf(dir);
mkdirSync(layout.state);
const file = join(dir, 'file');
const put = (path: string, bytes: Uint8Array) => writeFileSync(path, bytes);
/** The kind of failure that work ends with; a bug is thrown on. */
const kindOf = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    if (error instanceof Failed) return error.failure.kind;
    throw error;
  }
};

describe('config.json', () => {
  const host: HostFacts = {
    arch: 'x64',
    platform: 'linux',
    cpus: 8,
    memoryMiB: 16_000,
    diskGiB: 500,
    diskFreeGiB: 100,
  };
  const names = ['vm', 'network', 'cpus', 'memoryMiB', 'diskGiB', 'port', 'maxJobs', 'features'];
  const others = ['accelerator', 'bundle', 'holdSeconds', 'verbose', 'autostart', '__proto__', 'x'];
  const value = fc.oneof(
    fc.constantFrom<unknown>('qemu', 'hyperkit', 'vpnkit', 'gvproxy', 'tcg', 'kvm', 'hvf', '/b'),
    fc.constantFrom<unknown>(0, 1, 2, 8, 512, 1024, 24_083, 65_536, true, false, null, 1.5, -0),
    fc.jsonValue(),
    fc.array(fc.string()),
  );
  const text = fc.oneof(
    fc.dictionary(fc.constantFrom(...names, ...others), value).map((json) => JSON.stringify(json)),
    garbled(['{"vm":"qemu","cpus":4,"features":["kvm"],"port":24083}'], names).map(String),
    fc.json(),
    anyBytes().map((bytes) => bytes.toString('latin1')),
  );
  holds(
    'is taken or refused with reasons',
    1500,
    fc.property(text, (given) => {
      const parsed = parseConfig(given, host);
      if (!parsed.ok) {
        expect(parsed.problems.length).toBeGreaterThan(0);
        for (const { path, message } of parsed.problems)
          for (const word of [path, message]) expect(word).toMatch(/\S/);
        return;
      }
      // What it means, written down and read again, means the same.
      const { system, coresPerJob, network, bundle, ...rest } = parsed.config;
      const full = {
        ...rest,
        ...(network === 'auto' ? {} : { network }),
        ...(bundle === undefined ? {} : { bundle }),
      };
      expect(parseConfig(JSON.stringify(full), host)).toEqual(parsed);
      expect(checkConfig(full, host)).toEqual(parsed);
      expect(system).toBe('x86_64-linux');
      expect(coresPerJob).toBeGreaterThanOrEqual(1);
      for (const feature of parsed.config.features) expect(feature).not.toMatch(/[\s,;#@]/);
    }),
  );
});

describe('who is alive', () => {
  const me = identify(process.pid);
  const record = JSON.stringify(me);
  const almost = fc
    .record({
      pid: fc.oneof(fc.constantFrom(process.pid, 1, 0, -1, 0.5), fc.nat(), fc.jsonValue()),
      started: fc.oneof(fc.constantFrom(me?.started), fc.string()),
      boot: fc.oneof(fc.constantFrom(me?.boot), fc.string()),
      program: fc.oneof(fc.constantFrom(me?.program), fc.string()),
    })
    .map((json) => Buffer.from(JSON.stringify(json)));
  const files = { plain: `${file}.pid`, record: file };
  holds(
    'a pidfile is believed of the very process only',
    150,
    fc.property(fc.oneof(garbled([record], ['1', '9']), almost, anyBytes()), (bytes) => {
      put(file, bytes);
      const live = readLive(files);
      if (live !== undefined) expect(live).toEqual(identify(live.pid));
    }),
  );

  const status = JSON.stringify({ version: 1, phase: 'ready', sentence: 'x', daemon: me });
  const json = fc
    .record({
      version: fc.constantFrom<unknown>(1, 2, '1'),
      phase: fc.oneof(fc.constant('ready'), fc.jsonValue()),
      daemon: fc.oneof(
        almost.map((bytes) => JSON.parse(bytes.toString()) as unknown),
        fc.jsonValue(),
      ),
    })
    .map((value) => Buffer.from(JSON.stringify(value)));
  holds(
    'a status is a living daemon’s only if its identity holds',
    150,
    fc.property(fc.oneof(garbled([status], ['null']), json, anyBytes()), (bytes) => {
      put(layout.status, bytes);
      const found = readStatus(layout);
      if (found.daemon === 'alive') {
        const { pid, started, boot, program } = found.status.daemon;
        expect({ pid, started, boot, program }).toEqual(identify(pid));
      }
    }),
  );
});

describe('our own records', () => {
  const way = { subject: 'network', way: 'w', basis: 'b' } as const;
  const kept = { ...way, at: 'now', why: 'broken', remedy: 'mend it' };
  const record = JSON.stringify({ boot: bootId(), verdicts: [kept, { ...kept, why: undefined }] });
  holds(
    'verdicts.json teaches, or says nothing',
    150,
    fc.property(
      fc.oneof(
        garbled([record], ['subject', 'accelerator', 'why', 'verdicts', bootId()]),
        fc.json().map(bytesOf),
        anyBytes(),
      ),
      (bytes) => {
        put(layout.verdicts, bytes);
        const { why } = verdictOn(way, readVerdicts(layout.verdicts)) ?? {};
        expect(['undefined', 'string']).toContain(typeof why);
        expect(keepVerdict(kept, layout.verdicts)).toBe(true);
        expect(verdictOn(way, readVerdicts(layout.verdicts))).toEqual(kept);
      },
    ),
  );

  const receipt = { put: 'block', before: { mode: 420, uid: 0, gid: 0 }, digest: 'd', at: 'now' };
  const receipts = JSON.stringify([{ path: '/p', ...receipt, replaced: [{ line: 1, text: 't' }] }]);
  holds(
    'receipts.json is taken whole, or refused with a reason',
    150,
    fc.property(
      fc.oneof(garbled([receipts, '[]']), fc.json().map(bytesOf), anyBytes()),
      (bytes) => {
        put(file, bytes);
        expect(['none', 'receipts-unreadable']).toContain(kindOf(() => readReceipts(file)));
      },
    ),
  );

  const lock = readFileSync(join(import.meta.dirname, '../../src/image/lock.json'), 'utf8');
  const small = smaller(lock);
  holds(
    'lock.json leads to nothing outside the mirror',
    150,
    fc.property(
      fc.oneof(garbled([small], ['..', '/', '../', '%2e']), fc.json().map(bytesOf), anyBytes()),
      (bytes) => {
        put(file, bytes);
        if (kindOf(() => readLock(file)) === 'lock-unusable') return;
        const read = readLock(file);
        expect(lockHash(read, 'amd64')).toMatch(/^[0-9a-f]{64}$/);
        for (const { filename } of read.architectures.amd64.packages)
          expect(filename.split('/')).not.toContain('..');
      },
    ),
  );

  const manifest = JSON.stringify({
    arch: 'amd64',
    kernelVersion: '6',
    inputs: {},
    suite: 's',
    indexDate: 'd',
    packages: {},
    squashfs: { tool: 't', version: 'v', options: [] },
    files: Object.fromEntries(
      ['kernel', 'initrd', 'cmdline'].map((name) => [name, { sha256: 'x', size: 1 }]),
    ),
  });
  holds(
    'an image’s manifest is taken whole, or refused with a reason',
    150,
    fc.property(fc.oneof(garbled([manifest]), fc.json().map(bytesOf), anyBytes()), (bytes) => {
      const bundle = bundleAt(join(dir, 'image'));
      put(bundle.manifest, bytes);
      expect(['none', 'image-manifest-broken']).toContain(kindOf(() => readManifest(bundle)));
    }),
  );
});

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}
/** A lock with two packages of each architecture. */
function smaller(text: string): string {
  const json = JSON.parse(text) as {
    architectures: Record<string, { packages: unknown[]; requested: unknown[] }>;
  };
  for (const each of Object.values(json.architectures)) {
    each.packages.length = 2;
    each.requested.length = 2;
  }
  return JSON.stringify(json);
}
