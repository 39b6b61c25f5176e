/**
 * By every manager of programs: configure, another version put in, the old one deleted, and the next login; of Node and of our own program,
 * by the unit and by the launcher. The old version is the real program; the new one keeps what it was started as.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemPathsOf } from '../../src/host/system-paths.ts';
import { agentPaths } from '../../src/service/launchd/launch-agent.ts';
import { unitPath } from '../../src/service/systemd/systemd-unit.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { freePort } from '../rig/free-port.ts';
import { putNode } from '../rig/stand-in.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

interface Installation {
  readonly node: string;
  /** The package, with `dist/main.js` in it. */
  readonly program: string;
  /** Each is a symbolic link to where it says. */
  readonly links: Readonly<Record<string, string>>;
}

interface Manager {
  readonly of: (version: string) => Installation;
  /** Of the terminal in which configure is run. */
  readonly path: readonly string[];
  /** Nothing is deleted: it leaves each Node, and has one place for every version of a program. */
  readonly isKeeping?: boolean;
  /** Its root is the machine's own /nix, in a namespace of mounts. */
  readonly isNix?: boolean;
}

const ours = 'lib/node_modules/linuxkit-builder';
const managers: Readonly<Record<string, Manager>> = {
  Homebrew: {
    of: (version) => {
      const [node, program] = [
        `brew/Cellar/node/${version}`,
        `brew/Cellar/linuxkit-builder/${version}`,
      ];
      const links = {
        'brew/opt/node': node,
        'brew/bin/node': `${node}/bin/node`,
        'brew/opt/linuxkit-builder': program,
        'brew/bin/linuxkit-builder': `${program}/libexec/${ours}/dist/main.js`,
      };
      return { node: `${node}/bin/node`, program: `${program}/libexec/${ours}`, links };
    },
    path: ['brew/bin'],
  },
  'npm of a Node by Homebrew': {
    of: (version) => {
      const node = `brew/Cellar/node/${version}`;
      const links = { 'brew/opt/node': node, 'brew/bin/node': `${node}/bin/node` };
      return { node: `${node}/bin/node`, program: `brew/${ours}`, links };
    },
    path: ['brew/bin'],
  },
  'nvm, with a current one': {
    of: (version) => {
      const folder = `.nvm/versions/node/v${version}`;
      const links = {
        '.nvm/current': folder,
        [`${folder}/bin/linuxkit-builder`]: `${folder}/${ours}/dist/main.js`,
      };
      return { node: `${folder}/bin/node`, program: `${folder}/${ours}`, links };
    },
    path: ['.nvm/versions/node/v22.1.0/bin'],
  },
  fnm: {
    of: (version) => {
      const folder = `fnm/node-versions/v${version}/installation`;
      const links = {
        'fnm/aliases/default': folder,
        // Of one shell, which has ended when the user logs in again.
        [`state/fnm_multishells/${version}`]: folder,
        [`${folder}/bin/linuxkit-builder`]: `${folder}/${ours}/dist/main.js`,
      };
      return { node: `${folder}/bin/node`, program: `${folder}/${ours}`, links };
    },
    path: ['state/fnm_multishells/22.1.0/bin'],
  },
  mise: {
    of: (version) => {
      const folder = `mise/installs/node/${version}`;
      const links = { 'mise/installs/node/22': folder };
      return { node: `${folder}/bin/node`, program: `${folder}/${ours}`, links };
    },
    path: ['mise/installs/node/22.1.0/bin'],
  },
  // Its command is a program of its own for every version, and it deletes no Node.
  Volta: {
    of: (version) => ({
      node: `.volta/tools/image/node/${version}/bin/node`,
      program: `.volta/tools/image/packages/linuxkit-builder/${ours}`,
      links: { '.volta/bin/node': '.volta/bin/volta-shim' },
    }),
    path: ['.volta/bin'],
    isKeeping: true,
  },
  pnpm: {
    of: (version) => {
      const [node, above] = [`pnpm/nodejs/${version}/bin/node`, 'pnpm/global/5'];
      const program = `${above}/.pnpm/linuxkit-builder@${version}/node_modules/linuxkit-builder`;
      const links = { 'pnpm/node': node, [`${above}/node_modules/linuxkit-builder`]: program };
      return { node, program, links };
    },
    path: ['pnpm'],
  },
  'a profile of Nix': {
    of: (version) => {
      const stored = (name: string) =>
        `nix/store/${version.replace(/\D/g, '').padStart(32, '0')}-${name}-${version}`;
      const [node, program, profile] = ['nodejs', 'linuxkit-builder', 'profile'].map(stored);
      const links = {
        'nix/var/nix/profiles/default': `${profile}`,
        [`${profile}/bin/node`]: `${node}/bin/node`,
        [`${profile}/lib`]: `${program}/lib`,
      };
      return { node: `${node}/bin/node`, program: `${program}/${ours}`, links };
    },
    path: ['nix/var/nix/profiles/default/bin'],
    isNix: true,
  },
};

let built: BuiltProgram;
/** On the same volume as every tree, so that there can be a link. */
let oneNode = '';
beforeAll(async () => {
  built = await buildProgram();
  oneNode = join(built.folder, 'node');
  putNode(oneNode);
});
afterAll(() => built[Symbol.dispose]());

let tree = '';
beforeEach(() => {
  tree = realpathSync(mkdtempSync(join(tmpdir(), 'Jörgs Mac-')));
});
afterEach(() => removeTree(tree));

const at = (path: string) => join(tree, path);
const record = () => at('started');
const put = (path: string, text: string) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text, { mode: 0o755 });
};

/** Its links lead there now. */
function link({ links }: Installation): void {
  for (const [name, target] of Object.entries(links)) {
    mkdirSync(dirname(at(name)), { recursive: true });
    rmSync(at(name), { force: true });
    symlinkSync(relative(dirname(at(name)), at(target)), at(name));
  }
}

function installReal({ node, program }: Installation): void {
  mkdirSync(dirname(at(node)), { recursive: true });
  linkSync(oneNode, at(node));
  for (const name of ['dist', 'launchd', 'package.json', 'node_modules'])
    cpSync(join(built.folder, name), join(at(program), name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !file.endsWith('.map'),
    });
  chmodSync(at(join(program, 'dist/main.js')), 0o755);
}

/** Either keeps its own path where it starts a daemon. */
function installNext({ node, program }: Installation, seen: (path: string) => string): void {
  const daemon = `case " $* " in *' daemon '*) echo "node ${seen(node)}" >>'${record()}' ;; esac`;
  put(node, `#!/bin/sh\n${daemon}\nexec '${process.execPath}' "$@"\n`);
  removeTree(at(program));
  put(join(program, 'package.json'), '{"type": "module"}');
  const main = `import { appendFileSync } from 'node:fs';
if (process.argv[2] === 'daemon') appendFileSync(${JSON.stringify(record())}, \`main \${import.meta.filename}\\n\`);
`;
  put(join(program, 'dist/main.js'), main);
}

interface Keeper {
  readonly name: 'systemd' | 'launchd';
  /** What it does at a login, as words of a shell in which $job is its file. */
  readonly login: (home: string) => { readonly job: string; readonly script: string };
}

const keepers: readonly Keeper[] = [
  {
    name: 'systemd',
    login: (home) => ({
      job: unitPath(join(home, '.config')),
      // As in systemd.unit(5): of conditions with | one is enough. A word of ExecStart is quoted as the shell quotes it, but for $$.
      script: `for kind in ConditionFileIsExecutable ConditionPathExists; do
    sed -n "s/^$kind=//p" "$job" | { met=0 any=1
        while read -r each; do
            case $each in '|'*) any=\${any#1}; [ ! -x "\${each#|}" ] || met=1 any=1 ;; *) [ -e "$each" ] || exit 1 ;; esac
        done; [ "$met" = 1 ] || [ -n "$any" ]; } || { echo "skipped: $kind"; exit 1; }
done
eval "$(sed -n 's/^ExecStart=//p' "$job" | sed 's/[$][$]/\\\\$/g')"`,
    }),
  },
  {
    name: 'launchd',
    login: (home) => ({ job: agentPaths(home).launcher, script: 'exec "$job"' }),
  },
];

/** Where /nix is the tree's own. */
const inNix = 'mount --bind "$1" /nix; shift; exec "$@"';
const nixMounts: readonly Need[] = ['mounts', { path: '/nix' }];

// Behaviour 195: A login job still starts the daemon after an upgrade of Node or of this program has deleted the old
// version's directory, because the job uses a path that the package manager keeps. If there is no such path, or if it
// no longer exists, the job uses the path that was valid when the job was made; `doctor` finds a job whose paths are
// all gone.
describe.each(keepers)('by $name', { timeout: 60_000 }, ({ name: service, login }) => {
  const table = Object.entries(managers);
  const plain = table.filter(([, { isNix }]) => isNix !== true);
  test.each(plain)('%s', async (_, manager) => survives(manager));
  const nix = table.filter(([, { isNix }]) => isNix === true);
  test.each(nix)('%s', needs(...nixMounts), async (_, manager) => survives(manager));

  async function survives({ of, path, isKeeping = false, isNix = false }: Manager): Promise<void> {
    const [old, next] = [of('22.1.0'), of('22.2.0')];
    const seen = (name: string) => (isNix ? `/${name}` : at(name));
    const systemPaths = systemPathsOf(tree);
    for (const folder of [systemPaths.home, systemPaths.etcNix])
      mkdirSync(folder, { recursive: true });
    for (const tool of ['systemctl', 'launchctl']) put(`bin/${tool}`, '#!/bin/sh\nexit 1\n');
    put('.volta/bin/volta-shim', '#!/bin/sh\nexit 1\n');
    installReal(old);
    link(old);
    const env = {
      PATH: [...path.map(seen), at('bin'), '/usr/bin', '/bin'].join(':'),
      HOME: systemPaths.home,
      LINUXKIT_BUILDER_TREE: tree,
      LINUXKIT_BUILDER_SERVICE: service,
      LINUXKIT_BUILDER_DIR: at('state dir'),
      LINUXKIT_BUILDER_PATIENCE: '0',
    };
    const run = (words: readonly [string, ...string[]], more: NodeJS.ProcessEnv = {}) => {
      const mounted = [
        'unshare',
        '--map-root-user',
        '--mount',
        'sh',
        '-euc',
        inNix,
        'sh',
        at('nix'),
      ];
      const [program = '', ...argv] = isNix ? [...mounted, ...words] : words;
      return spawnSync(program, argv, { encoding: 'utf8', env: { ...env, ...more } });
    };
    const size = ['--port', String(await freePort()), '-c', '1', '-m', '1024', '-s', '4'];
    const main = seen(join(old.program, 'dist/main.js'));
    const configured = run([seen(old.node), main, 'configure', '--autostart', ...size]);
    expect(configured.status, configured.stderr).toBe(0);

    if (!isKeeping) for (const gone of [old.node, old.program]) remove(gone, next);
    installNext(next, seen);
    link(next);
    const { job, script } = login(systemPaths.home);
    // No variable of a terminal's.
    const words = ['/bin/sh', '-c', script] as const;
    const ran = run([...words], { PATH: '/usr/bin:/bin', job });
    const said = existsSync(record()) ? readFileSync(record(), 'utf8') : '';
    const wanted = isKeeping ? [] : [`node ${seen(next.node)}`];
    expect(said.split('\n'), `${ran.stdout}${ran.stderr}${readFileSync(job, 'utf8')}`).toEqual([
      ...wanted,
      `main ${seen(join(next.program, 'dist/main.js'))}`,
      '',
    ]);
    expect(ran.status).toBe(0);
  }
});

/** The folder of that version, whose name the next one does not have. */
function remove(path: string, { node, program }: Installation): void {
  let folder = path;
  while ([node, program].every((each) => !each.startsWith(`${dirname(folder)}/`)))
    folder = dirname(folder);
  removeTree(at(folder));
}
