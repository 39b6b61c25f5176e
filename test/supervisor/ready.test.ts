/** The last steps of a start: what is written of one that is ready. */
import { expect, test } from 'vitest';
import { keepProgram } from '../../src/supervisor/ready.ts';
import { World } from '../model/world.ts';

test('what cannot be written of the program is told, and ends no guest that is ready', async () => {
  await using world = await World.make();
  const told: string[] = [];
  const layout = {
    ...world.layout,
    get vmRecord(): string {
      throw new Error('a fault of ours');
    },
  };
  const log = (_: unknown, event: string) => void told.push(event);
  keepProgram({ config: world.config, layout, log }, 'qemu');
  expect(told).toEqual(['vm-not-kept']);
});
