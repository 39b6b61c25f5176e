/**
 * A stand-in for vfkit: takes its command line with its strictness, works in its order, ends as it ends, and in between runs the real
 * guest. docs/testing.md has what it cannot show.
 */
import { appendFileSync, copyFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { relayArchive } from '../../rig/hyperkit/relay.ts';
import { attach, lingerOn, validate, type Attached } from './attach.ts';
import { parse, type Machine } from './command-line.ts';
import { usage } from './flags.ts';
import { goLog, log, write } from './output.ts';
import { realFiles } from './real-files.ts';
import { vzError } from './refusal.ts';
import { serveRest } from './rest.ts';
import type { Wish } from './states.ts';
import { obeyOrders, readSwitches } from './switches.ts';
import { isSince, type Version } from './version.ts';
import { relayConsole, Vm } from './vm.ts';
import { openVsock } from './vsock.ts';

/** Put in by the bundler: the text of the image's /init. */
declare const IMAGE_INIT: string;

const switches = readSwitches();
const { patienceMs = 5_000 } = switches;
const sleep = () => new Promise<void>((resolve) => setTimeout(resolve, patienceMs));
const since = (first: Version) => isSince(switches.version, first);

let isEnding = false;

/** What an orderly end removes. */
const handlers: (() => void)[] = [];

function leave(code: number): never {
  for (const handler of handlers.splice(0)) handler();
  process.exit(code);
}

/** Every error, also one at run time hours later: the text, cobra's usage, the text again. */
function fail(text: string): never {
  write(2, `Error: ${text}\n${usage}\n${text}\n`);
  leave(1);
}

const parsed = parse(process.argv.slice(2), switches, realFiles);
if (parsed.kind === 'said') {
  write(1, parsed.text);
  process.exit(0);
}
if (parsed.kind === 'machine' || parsed.step > 6)
  for (const text of ['virtual machine parameters', 'vCPUs', 'memory']) log('info', text);
if (parsed.kind === 'refused') fail(parsed.text);
else void run(parsed);

async function run(machine: Machine): Promise<void> {
  const attached = await attach(machine, switches);
  if (attached.refusal !== undefined) return fail(attached.refusal.text);
  const { own } = attached;
  // Up to 0.6.0 the handlers are for signals.
  if (own !== undefined) handlers.push(() => rmSync(own, { force: true }));
  const validity = validate(machine, attached, switches);
  if (typeof validity === 'object') return fail(validity.text);
  if (switches.lockLingersMs !== undefined) lingerOn(attached, switches.lockLingersMs);
  if (typeof machine.rest === 'string') return fail(machine.rest);
  const vm = makeVm(machine, attached);
  listen(machine, vm);
  catchSignals(machine, vm);
  obeyOrders((orders) => {
    if (orders.say !== undefined) write(2, `${orders.say}\n`);
    if (orders.deafToButton !== undefined) vm.beDeaf(orders.deafToButton);
    if (orders.fails === true) vm.fail();
    if (typeof orders.end === 'number') process.exit(orders.end);
    if (orders.end !== undefined) process.kill(process.pid, orders.end);
  });
  if (validity === 'hangs') return vm.hang();
  await live(machine, vm);
}

function makeVm(machine: Machine, { launcher, isConnected }: Attached): Vm {
  const initrd = join(tmpdir(), `vfkit-initrd-${process.pid}`);
  process.once('exit', () => rmSync(initrd, { force: true }));
  copyFileSync(machine.initrd, initrd);
  if (switches.bare !== true)
    appendFileSync(initrd, relayArchive(IMAGE_INIT, statSync(initrd).size, relayConsole(machine)));
  return new Vm({ machine, switches, launcher, initrd, isConnected });
}

/** Before the VM starts, and in the background: that it cannot listen comes later, maybe while the guest is starting already. */
function listen(machine: Machine, vm: Vm): void {
  const { rest } = machine;
  if (typeof rest === 'string' || rest.kind === 'off' || rest.kind === 'nothing') return;
  const canRequestStop = switches.canRequestStop !== false;
  const wish = (each: Wish) => obey(each, vm);
  serveRest(rest, { machine, state: () => vm.state, canRequestStop, wish }, fatal);
  if (rest.kind === 'unix' && since('0.6.2'))
    handlers.push(() => rmSync(rest.path, { force: true }));
}

/** logrus' fatal: exit code 1, and nothing is removed. */
function fatal(why: string): never {
  log('fatal', why);
  process.exit(1);
}

async function obey(wish: Wish, vm: Vm): Promise<void> {
  if (wish === 'Stop') return vm.requestStop();
  if (wish === 'Pause') return vm.pause();
  if (wish === 'Resume') return vm.resume();
  await vm.stop();
  // The process ends first, as a rule.
  if (switches.hardStopReply !== 'sent') await new Promise(() => undefined);
}

/** Steps 15 to 17. */
async function live(machine: Machine, vm: Vm): Promise<void> {
  if (!(await vm.start())) return fail(vzError('internal', 'The virtual machine failed to start.'));
  if (typeof machine.rest !== 'string' && machine.rest.kind === 'nothing') return fatal('<nil>');
  await Promise.race([vm.until((state) => state !== 'Starting'), sleep()]);
  if (vm.state === 'Starting')
    return fail('timeout waiting for VM state VirtualMachineStateRunning');
  log('info', 'virtual machine is running');
  await exposeVsock(machine, vm);
  log('info', 'waiting for VM to stop');
  await vm.until((state) => state === 'Stopped' || state === 'Error');
  if (vm.state === 'Error') return fail('virtualization error: hypervisor virtualization error');
  if (isEnding) return;
  log('info', 'VM is stopped');
  if (!since('0.6.1')) process.exit(0);
  // The answer to a HardStop, where there is one, is on its way.
  setTimeout(() => leave(0), switches.hardStopReply === 'sent' ? 100 : 0);
}

async function exposeVsock(machine: Machine, vm: Vm): Promise<void> {
  for (const device of machine.devices) {
    if (device.kind !== 'vsock') continue;
    const opened = await openVsock(device, {
      version: switches.version,
      portOf: (port) => vm.portOf(port),
      warn: (text) => log('warning', text),
      say: goLog,
    });
    if (opened !== undefined) handlers.push(() => opened.close());
  }
}

/** From here on; earlier they kill at once. */
function catchSignals(machine: Machine, vm: Vm): void {
  const hasSocket = machine.devices.some((device) => device.kind === 'net' && device.socket);
  if (!since('0.6.1') && !hasSocket) return;
  const end = async (word: string) => {
    if (isEnding) return;
    isEnding = true;
    goLog(`captured ${word}, calling exit handlers and exiting..`);
    if (!since('0.6.2')) leave(1);
    if (vm.state !== 'Starting' && switches.canRequestStop !== false) {
      vm.requestStop();
      await Promise.race([vm.until((state) => state === 'Stopped'), sleep()]);
    }
    await vm.stop();
    // A stopped VM may have told the wrong one of two that wait for it.
    if (switches.sigterm !== 'hangs') leave(0);
  };
  process.on('SIGTERM', () => void end('terminated'));
  process.on('SIGINT', () => void end('interrupt'));
}
