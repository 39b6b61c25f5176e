/** What `debug` promises, proven in a guest that is ready. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Inside } from '../../src/guest/agent/inside.ts';
import { fact } from './command.ts';
import { nixBuild, nixEnv, nixStore } from './nix-client.ts';
import type { BuilderRig } from './rig.ts';

/** A build fails; then what it wrote of itself, a command in its place sees of itself, and a shell of a terminal goes on where that was. */
export async function debugsFailed(rig: BuilderRig): Promise<void> {
  const drv = await failed(rig);
  const temporary = join(rig.dir, 'temporary  "files" of O\'Hara');
  mkdirSync(temporary);
  const env = { ...nixEnv(rig), NIX_REMOTE: nixStore(rig), TMPDIR: temporary };
  const first = rig.beginWith(env, 'debug', drv, '--', 'sh', '-c', script);
  expect(await first.ended, first.said).toBe(7);
  expect(first.stderr).toContain('the end of its log\n');
  const [build, shell = ''] = first.stdout.split('--\n');
  expect(build).toContain('NoNewPrivs: 1');
  expect(build).toContain('Seccomp: 2');
  expect(shell).toBe(build);
  expect(await keptIn(rig)).toEqual({ directories: 1, bytes: expect.any(Number) as number });

  const node = [process.execPath, join(import.meta.dirname, '../../dist/main.js')];
  const words = [...node, 'debug', '-d', rig.layout.root, drv].map((word) => `'${word}'`);
  const terminal = rig.run(['script', '-qec', words.join(' '), '/dev/null'], { env, input: true });
  await fact('a prompt', () => terminal.said.includes('[debug /build]$ '));
  terminal.write('read -r text <mine; : </dev/tty && echo "$text, $later, $((40 + 2))"; exit 4\n');
  expect(await terminal.ended, terminal.said).toBe(4);
  expect(terminal.said).toContain('mine, not exported by Nix, 42');
  expect(terminal.said).not.toContain('the end of its log');
  expect((await keptIn(rig))?.directories).toBe(1);

  const { stdout } = await rig.cli('ssh', '--', 'nix path-info --all; ls /run');
  expect(stdout).not.toMatch(/-fails-|debug/);
}

/** What `status` says of the directories that are kept. */
export async function keptIn(rig: BuilderRig): Promise<Inside['kept']> {
  const { stdout } = await rig.cli('status', '--json');
  return (JSON.parse(stdout) as { readonly guest?: Inside }).guest?.kept;
}

/** Its path, in the store of the rig's Nix. */
async function failed(rig: BuilderRig): Promise<string> {
  const file = join(rig.dir, 'fails.nix');
  writeFileSync(file, fails);
  const build = nixBuild(rig, file);
  expect(await build.ended, build.said).not.toBe(0);
  expect(build.stderr).toContain('the end of its log');
  symlinkSync(join(nixStore(rig), 'nix'), join(rig.dir, 'tree/nix'));
  const found = rig.run(['nix-instantiate', '--store', nixStore(rig), file], { env: nixEnv(rig) });
  expect(await found.ended, found.said).toBe(0);
  return found.stdout.trim();
}

/** Who is in the build, with what rights, and what of store and network is there: by the builtins of a shell. */
const who = `
  pwd
  while read -r key values; do
    case $key in
    Uid: | Gid: | Groups: | Umask: | Cap* | NoNewPrivs: | Seccomp*) echo "$key $values" ;;
    esac
  done </proc/self/status
  echo /* /nix/store/*
  while read -r key _; do case $key in *:) echo "$key" ;; esac; done </proc/net/dev
  echo "$out, $word, $lines, $later, $PATH"
  read -r text <"$textPath"
  echo "$text"
`;

const script = `
  while IFS= read -r line; do echo "$line"; done <who
  echo --
  ${who}
  echo mine >mine
  exit 7
`;

/** It has an input that was built, a source, and a file of an attribute; what it exports, it leaves as nixpkgs' builder does. */
const fails = `
let
  name = "${String(Date.now())}";
  shell = attributes: script: derivation ({
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" script ];
  } // attributes);
  input = shell { name = "input-\${name}"; } "echo > $out";
in
shell {
  name = "fails-\${name}";
  inherit input;
  source = builtins.toFile "source" "a source";
  word = "it's a \\"word\\"";
  lines = "one\\n  'two' $HOME \\\\ \`x\`\\n";
  passAsFile = [ "text" ];
  text = "a text";
} ''
  export later="not exported by Nix"
  {
${who}
  } >who
  export >env-vars
  echo the end of its log
  exit 3
''
`;
