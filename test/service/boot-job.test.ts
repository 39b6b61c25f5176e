/** The job at boot beside the rest of configure: what it prints, what it would do, and what is true where it fails. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { parseRootValues } from '../../src/setup/root/root-plan.ts';
import { systemJobPath } from '../../src/service/system-job.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { asker, calm } from '../fakes/commands.ts';
import { configureRig } from '../setup/configure-rig.ts';

let rig: ReturnType<typeof configureRig>;
let unit: string;
beforeEach(() => {
  rig = configureRig();
  unit = systemJobPath('systemd', rig.tree);
  mkdirSync(dirname(unit), { recursive: true });
});
afterEach(() => rig[Symbol.dispose]());

const configure = (...argv: string[]) => {
  const world = { LINUXKIT_BUILDER_SERVICE: 'systemd', PATH: process.env['PATH'] };
  return rig.runWith(world, '-d', rig.layout.root, '--no-root', ...argv);
};
/** As root's script would write it. */
async function present(): Promise<string> {
  const shown = await configure('--system', '--dry-run');
  const lines = shown.out.slice(shown.out.indexOf(`+++ ${unit}`) + 2);
  const text = lines.filter((line) => line.startsWith('+')).map((line) => `${line.slice(1)}\n`);
  return text.join('');
}

test('with --json the output is values for root’s part, and nothing else', async () => {
  const { out, err, failure } = await configure('--system', '--json');
  expect(failure).toBeUndefined();
  expect(parseRootValues(out.join('\n'))).toMatchObject({ door: 'tcp' });
  expect(err.join('\n')).toContain(`mv -f "$job.linuxkit-builder" "$job"`);
});

test('what an administrator runs with --no-root writes it to the byte, also for a directory that is named', async () => {
  const wanted = await present();
  const script = async (...argv: string[]) => {
    const out: string[] = [];
    const err: string[] = [];
    const world = {
      env: {
        LINUXKIT_BUILDER_TREE: rig.tree,
        LINUXKIT_BUILDER_SERVICE: 'systemd',
        PATH: process.env['PATH'],
      },
      home: rig.systemPaths.home,
      assets: dirname(dirname(import.meta.dirname)),
      isTTY: false,
      clock: systemClock,
      signal: new AbortController().signal,
      onStopSignal: () => undefined,
      out: (line: string) => void out.push(line),
      err: (line: string) => void err.push(line),
    };
    expect(await run([...argv, '-d', rig.layout.root, '--no-root'], world, '0')).toBe(0);
    return { text: out.map((line) => `${line}\n`).join(''), said: err.join('\n') };
  };
  execFileSync('sh', { input: (await script('configure', '--system')).text });
  expect(readFileSync(unit, 'utf8')).toBe(wanted);
  // It is taken for ours by the script that takes it away.
  const { text, said } = await script('unconfigure');
  execFileSync('sh', { input: text });
  expect(existsSync(unit)).toBe(false);
  // What is said beside it names the directory all the same.
  expect(said).toContain(`linuxkit-builder unconfigure -d '${rig.layout.root}' --purge`);
});

test('a dry run shows it, written and taken away', async () => {
  const { out } = await configure('--system', '--dry-run');
  expect(out).toContain(`# ${unit}: the system starts the daemon at boot (new, mode 0644)`);
  expect(out).toContain('+WantedBy=multi-user.target');
  expect(existsSync(rig.layout.root)).toBe(false);
  writeFileSync(unit, await present());
  expect((await configure('--autostart', 'login', '--dry-run')).out).toContain(
    `# Would delete ${unit} and stop the daemon`,
  );
  expect((await configure('--system', '--dry-run')).out.join('\n')).not.toContain(unit);
});

test('where it cannot be taken away after that wait, new builds are let in again', async () => {
  writeFileSync(unit, await present());
  await configure('--system');
  // Root's script refuses a directory that others can write.
  chmodSync(dirname(unit), 0o777);
  const asked: string[] = [];
  const heard = (command: 'drain' | 'undrain') => () => {
    asked.push(command);
    return calm[command](asker) as never;
  };
  mkdirSync(rig.layout.state, { recursive: true });
  const commands = { ...calm, drain: heard('drain'), undrain: heard('undrain') };
  const control = await openControl(rig.layout, commands, () => undefined);
  try {
    const world = { LINUXKIT_BUILDER_SERVICE: 'systemd', PATH: process.env['PATH'] };
    const { failure } = await rig.runWith(world, '-d', rig.layout.root, '--autostart', 'login');
    expect(failure).toMatchObject({ kind: 'root-part-failed' });
    expect(asked).toEqual(['drain', 'undrain']);
    expect(existsSync(unit)).toBe(true);
  } finally {
    control.close();
  }
});
