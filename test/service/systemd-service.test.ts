import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseShow, systemdService } from '../../src/service/systemd/systemd-service.ts';
import { Failed } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

let directory: string;
let systemctl: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'systemctl-'));
  systemctl = join(directory, 'systemctl');
});
afterEach(() => removeTree(directory));

/** A systemctl that keeps what it was asked, and answers by this script. */
function stands(script: string): void {
  writeFileSync(systemctl, `#!/bin/sh\necho "$*" >>"$0.calls"\n${script}\n`);
  chmodSync(systemctl, 0o755);
}
const calls = () => readFileSync(`${systemctl}.calls`, 'utf8').trim().split('\n');
const service = (changed = false) =>
  systemdService({
    systemctl,
    isChanged: () => changed,
    onLoaded: () => undefined,
    signal: new AbortController().signal,
  });
const active =
  'echo LoadState=loaded; echo ActiveState=active; echo MainPID=12; echo Result=success';

describe('systemd', () => {
  test('is told to read, enable and start', async () => {
    stands('exit 0');
    await service().start();
    expect(calls()).toEqual([
      '--user daemon-reload',
      '--user enable linuxkit-builder.service',
      '--user start linuxkit-builder.service',
    ]);
  });

  // A container, or another init: what systemd was told of is taken back all the same, and the daemon runs without it.
  test('that is not there has nothing loaded, and keeps nobody from a removal', async () => {
    const none = systemdService({
      systemctl: undefined,
      isChanged: () => false,
      onLoaded: () => undefined,
      signal: new AbortController().signal,
    });
    expect(await none.state()).toEqual({ loaded: false, running: false });
    await none.remove();
    expect(await none.stop()).toBe(false);
    await expect(none.start()).rejects.toMatchObject({ failure: { kind: 'no-login-session' } });
  });

  test('restarts what has changed', async () => {
    stands('exit 0');
    await service(true).start();
    expect(calls().at(-1)).toBe('--user restart linuxkit-builder.service');
  });

  test('stops only what runs, and disables at a removal', async () => {
    stands(active);
    expect(await service().state()).toEqual({ loaded: true, running: true, pid: 12 });
    expect(await service().stop()).toBe(true);
    await service().remove();
    expect(calls().at(-1)).toBe('--user disable --now linuxkit-builder.service');
  });

  test('without a session is a failure of its own, which `start` can go round', async () => {
    stands('echo "Failed to connect to bus: No medium found" >&2; exit 1');
    const failed = await service()
      .start()
      .catch((error: unknown) => error);
    expect((failed as Failed).failure.kind).toBe('no-login-session');
    expect(await service().state()).toEqual({ loaded: false, running: false });
  });

  test('that refuses is quoted', async () => {
    stands('echo "Unit file is masked." >&2; exit 1');
    const failed = await service()
      .start()
      .catch((error: unknown) => error);
    expect((failed as Failed).failure).toMatchObject({
      kind: 'unit-refused',
      lines: ['Unit file is masked.'],
    });
  });

  test('says how the last run ended', () => {
    const text =
      'LoadState=loaded\nActiveState=failed\nMainPID=0\nResult=signal\nUnitFileState=enabled\n';
    expect(parseShow(text)).toEqual({
      loaded: true,
      running: false,
      ended: "with result 'signal'",
    });
    expect(parseShow('LoadState=not-found\nActiveState=inactive\n')).toMatchObject({
      loaded: false,
    });
  });
});
