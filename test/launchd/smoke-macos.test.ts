/** scripts/smoke-macos on a Mac that is made of a few scripts: whom it asks, what its report gives away, and what it leaves. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const smoke = resolve(import.meta.dirname, '../../scripts/smoke-macos');
const terminals: Need = {
  what: "util-linux's script",
  isMet: spawnSync('script', ['--version']).status === 0,
};
const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIJ0123456789012345678901234567890';
const secrets = `jane at Janes-Mac.local, Jane Roe, "Jane's Mac", /Users/jane/x, /var/folders/ab/cd0001/T, ${key}`;

let dir = '';
const at = (name: string) => join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'smoke-'));
  for (const name of ['bin', 'home', 'place', 'theirs']) mkdirSync(at(name));
  for (const [name, text] of Object.entries(programs()))
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  writeFileSync(at('sudo'), '');
});
afterEach(() => removeTree(dir));

/** The Mac. Its builder is found, and fails at the first step that would change something, with all that must not be told. */
const programs = () => ({
  uname: 'case $1 in -m) echo arm64 ;; *) echo Darwin ;; esac',
  sysctl: 'echo 1',
  sw_vers: 'echo 15.2',
  scutil: `case $2 in ComputerName) echo "Jane's Mac" ;; *) echo janes-mac ;; esac`,
  hostname: 'echo janes-mac.local',
  id: 'case $1 in -un) echo jane ;; -F) echo Jane Roe ;; *) exec /usr/bin/id "$@" ;; esac',
  codesign: 'echo com.apple.security.virtualization',
  launchctl: 'exit 1',
  sudo: `echo "$*" >>'${at('sudo')}'`,
  vfkit: 'echo vfkit version: v0.6.4',
  // As Nix would, it keeps something where the environment says.
  node: `case $1 in
-*) exec '${process.execPath}' "$@" ;;
*/dist/main.js) ;;
*) echo "Error: Cannot find module '$1'" && exit 1 ;;
esac
for folder in "\${XDG_CACHE_HOME:-$HOME}" "\${XDG_STATE_HOME:-$HOME}" "$TMPDIR"; do : >"$folder/kept"; done
case " $* " in
*' --dry-run '*)
    program=vfkit
    case " $* " in *' --vm auto '*) [ ! -e '${at('taken')}' ] || program=$(cat '${at('taken')}') ;; esac
    cat <<END
{
  "vm": {
    "file": "${at('bin')}/$program"
  },
  "network": {
    "file": "${at('bin/vfkit')}"
  }
}
END
    ;;
*) cat <<'END'
${secrets}
END
    cat '${at('said')}' 2>/dev/null
    exit 1 ;;
esac`,
});

const env = () => ({
  PATH: `${at('bin')}:/usr/bin:/bin`,
  HOME: at('home'),
  XDG_CACHE_HOME: at('theirs'),
  XDG_STATE_HOME: at('theirs'),
  TMPDIR: at('theirs'),
  SMOKE_DIR: at('place'),
  LINUXKIT_TEST_IMAGE: at('image'),
});

/** What it prints; with an answer it has a terminal, at which somebody types that. */
function run(answer?: string, script = smoke): string {
  const options = { env: env(), encoding: 'utf8', input: `${answer ?? ''}\n` } as const;
  const { stdout } =
    answer === undefined
      ? spawnSync('/bin/sh', [script, 'vfkit'], options)
      : spawnSync('script', ['-qec', `sh '${script}' vfkit`, '/dev/null'], options);
  return stdout;
}
const byRoot = () => readFileSync(at('sudo'), 'utf8').split('\n').filter(Boolean);

// Behaviour 239: The smoke test for a Mac (`scripts/smoke-macos`) prints a report that contains none of the user's
// names, keys or paths. It leaves nothing behind, and asks at the terminal before it uses sudo.
test('nobody at a terminal: no sudo', () => {
  expect(run()).toContain("skipped  root's part by sudo, and back (nobody is asked)");
  expect(byRoot()).toEqual([]);
});

test('it asks before sudo, and takes only a yes', needs(terminals), () => {
  const said = run('n');
  expect(said).toContain('Do it? [y/N]');
  expect(said).toContain("skipped  root's part by sudo, and back (not wanted)");
  expect(byRoot()).toEqual([]);
  expect(run('y')).toMatch(/(ok|FAILED) +root's part by sudo, and back/);
  expect(byRoot().length).toBeGreaterThan(1);
  // All of it below the directory that goes away.
  for (const words of byRoot()) expect(words).toContain(`${at('place')}/lk.`);
});

test('`vm` auto takes the best program that this Mac has', () => {
  const sentence = 'with `vm` auto the best program of this Mac would be taken';
  expect(run()).toMatch(new RegExp(`^ok +${sentence}`, 'm'));
  // QEMU is there, and vfkit, which comes first on Apple silicon.
  writeFileSync(at('taken'), 'qemu-system-aarch64');
  const said = run();
  expect(said).toMatch(new RegExp(`^FAILED +${sentence}`, 'm'));
  expect(said).toContain('auto: qemu; the best that is here: vfkit');
});

test('its report gives nobody away, and nothing stays', () => {
  const said = run();
  expect(said).toMatch(/^FAILED +configure/m);
  expect(said).toMatch(/^ok +vfkit is here/m);
  expect(said).toContain('There is no guest, so nothing after this was tried.');
  expect(said).not.toMatch(/jane|Roe|\/Users|\/var\/folders|AAAAC3/i);
  expect(said).not.toContain(dir);
  expect(readdirSync(at('place'))).toEqual([]);
  for (const name of ['home', 'theirs']) expect(readdirSync(at(name))).toEqual([]);
});

test('a checkout with a space in its path is found, and not told, as a path or as an address', () => {
  const checkout = at('My Projects ü/lb');
  const script = join(checkout, 'scripts/smoke-macos');
  cpSync(smoke, script);
  const { href } = pathToFileURL(join(checkout, 'dist/main.js'));
  writeFileSync(at('said'), `${href}:3\nat ${checkout}/dist/main.js:3`);
  const said = run(undefined, script);
  expect(said).toMatch(/^ok +vfkit is here/m);
  expect(said).not.toMatch(/Cannot find module|My(%20| )?|Projects|ü|%C3/);
  expect(said).toContain('file://CHECKOUT/dist/main.js:3\n');
});

test('a host that is called by a word of ours gives nobody away, and leaves our words whole', () => {
  writeFileSync(at('bin/hostname'), '#!/bin/sh\necho vm.roe.example\n', { mode: 0o755 });
  writeFileSync(at('said'), 'node:internal/vm, vm.out, at vm.roe.example');
  expect(run()).toContain('node:internal/vm, vm.out, at NAME');
});

test('nobody who reads on: nothing stays', () => {
  const argv = ['-c', `/bin/sh '${smoke}' vfkit | head -n 2`];
  // As a terminal has it, whatever is ignored here.
  const ran = spawnSync('env', ['--default-signal=PIPE', '/bin/sh', ...argv], {
    env: env(),
    encoding: 'utf8',
  });
  expect(ran.stdout.split('\n')).toHaveLength(3);
  expect(readdirSync(at('place'))).toEqual([]);
});
