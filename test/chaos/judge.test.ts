import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vmsOn } from './census.ts';
import { Judge, type Sighting } from './judge.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const judged = (...sightings: readonly Sighting[]) => {
  const judge = new Judge();
  for (const sighting of sightings) judge.see(sighting);
  return judge;
};
const one = (vm: number, network: number): Sighting => ({
  onDisk: [String(vm)],
  pair: { vm, network },
});

test('a VM and its network, both replaced, is well; one without a network too', () => {
  const { verdict, sawVm } = judged(one(1, 2), one(1, 2), { onDisk: [] }, one(3, 4), {
    onDisk: ['5'],
  });
  expect([verdict, sawVm]).toEqual([undefined, true]);
});

test('a network program that was not replaced when its VM ended', () => {
  const judge = judged(one(1, 2), { onDisk: [] }, one(3, 2));
  expect(judge.verdict?.check).toBe('own-network');
  expect(() => judge.throwIfSpoken()).toThrow('network process 2 outlived VM process 1');
});

test('two VMs on one disk, and what came first is told', () => {
  const judge = judged({ onDisk: ['1', '2'] }, one(1, 2), one(3, 2));
  expect(judge.verdict).toEqual({
    check: 'one-vm',
    what: '2 VMs had the disk open at once',
  });
});

test('who saw no VM at all', () => {
  expect(judged({ onDisk: [] }).sawVm).toBe(false);
});

test('QEMU on the disk is seen, whoever runs it', needs('Linux'), async () => {
  const dir = mkdtempSync(join(tmpdir(), 'judge-'));
  const children: ChildProcess[] = [];
  const disk = join(dir, 'disk');
  writeFileSync(disk, '');
  const begin = async () => {
    const fd = openSync(disk, 'r+');
    const child = spawn(process.execPath, ['-e', qemu], { stdio: ['pipe', 'pipe', 'inherit', fd] });
    closeSync(fd);
    children.push(child);
    await once(child.stdout ?? child, 'data');
  };
  try {
    await begin();
    expect(vmsOn(disk)).toEqual([String(children[0]?.pid)]);
    await begin();
    expect(judged({ onDisk: vmsOn(disk) }).verdict?.check).toBe('one-vm');
    expect(vmsOn(join(dir, 'another'))).toEqual([]);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    removeTree(dir);
  }
});

/** Lives as long as its input is open, so not longer than the test. */
const qemu = `process.title = 'qemu-system-x'; console.log(''); process.stdin.resume();`;
