/** Ways out of a build that Nix has had since 2024, tried against the Nix of an image. Each file beside this one says which. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { BuilderRig } from '../rig.ts';
import { needs, type Need } from '../../needs.ts';

const checkout = resolve(import.meta.dirname, '../../..');
/** The image of the release before, which scripts/test makes: its Nix is 2.26.3. */
const old = join(process.env['LINUXKIT_TEST_RELEASE'] ?? onlyRelease(), 'image/builder');
const releaseBefore: Need = {
  what: 'an image of the release before (scripts/test image)',
  isMet: existsSync(`${old}-kernel`),
};

// Behaviour 176: A build in the guest cannot become root, and cannot reach the files or processes of another build or
// user, or nix-daemon's socket; the tests try the known escapes from Nix's sandbox. Builds with a network can,
// however, connect to each other on the guest's 127.0.0.1.
// Behaviour 174: No line on the console, whoever wrote it, is enough to make the daemon stop a guest that was ready:
// the daemon first checks with the guest itself whether the line is true. While the guest is booting, such a line
// alone is enough.
test('out of a build of our image nothing gets', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const { vmPid } = await rig.reaches('ready');
  expect(await attack(rig)).toEqual(['tried: spoken']);
  await rig.logged('guest-goes-on');
  expect(rig.console()).toContain('] Kernel panic - not syncing: shout');
  expect(await rig.reaches('ready')).toMatchObject({ vmPid });
  expect(rig.status()?.nixVersion).toMatch(/^2\.(3[4-9]|[4-9]\d)\./);
  expect(rig.status()?.diskExposed).toBeUndefined();
});

test(
  'out of one of the image before there are ways, which shows that they are tried rightly',
  needs(releaseBefore),
  async (context) => {
    await using rig = await BuilderRig.create({ context, configure: ['--bundle', old] });
    await rig.up();
    const found = await attack(rig);
    expect(found).toContain('root: root: written by a build, as root');
    expect(found).toContain('between: from one build to another');
    // A bundle that the configuration names is not refused; its Nix is asked when it is ready.
    const screen = (await rig.cli('status')).stdout.replaceAll(/\s+/g, ' ');
    expect(screen).toContain('its Nix 2.26.3 lets builds become root in the guest');
    expect(screen).toContain('linuxkit-builder disk reset');
    const reset = () => rig.program(['disk', 'reset', '--yes', '-d', rig.layout.root]).ended;
    expect(await reset()).toBe(75);
    expect((await rig.cli('stop')).end).toBe(0);
    expect(await reset()).toBe(0);
    expect(existsSync(rig.layout.disk)).toBe(false);
  },
);

/** What the attacks got, a line each. */
async function attack(rig: BuilderRig): Promise<string[]> {
  const files = ['root.nix', 'between.nix', 'outside.nix', 'shout.nix', 'attack.sh'];
  const here = files.map(
    (name) =>
      `cat >/tmp/escapes/${name} <<'end of file'\n${readFileSync(join(import.meta.dirname, name), 'utf8')}end of file\n`,
  );
  const script = `mkdir -p /tmp/escapes\n${here.join('')}sh /tmp/escapes/attack.sh`;
  const ran = await rig.cli('ssh', '--', script);
  expect(ran.end, ran.said).toBe(0);
  return ran.stdout.split('\n').filter(Boolean);
}

function onlyRelease(): string {
  const releases = join(checkout, '.cache/release');
  return join(releases, existsSync(releases) ? (readdirSync(releases)[0] ?? '') : '');
}
