/** A test that does not come back, with a daemon and its VM running: played by timed-out.test.ts in a vitest of its own. */
import { afterAll, beforeAll, test } from 'vitest';
import { BuilderRig } from './rig.ts';

let rig: BuilderRig;
beforeAll(async () => {
  rig = await BuilderRig.create();
  await rig.cli('start');
  await rig.untilStatus('a VM', ({ vmPid }) => vmPid !== undefined);
  console.log(`DIR ${rig.dir}`, `BEGUN ${rig.processes().length}`);
});
afterAll(() => console.log(`LEFT ${rig.processes().length}`));

test('does not come back', async (context) => {
  rig.belongTo(context);
  await new Promise(() => undefined);
}, 500);
