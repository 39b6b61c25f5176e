import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkConfig, readMore } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { describeProblem } from '../../src/domain/problem.ts';
import { examine, type WantedFile } from '../../src/host/file-change.ts';
import { receiptOf, type Receipt } from '../../src/host/receipts.ts';
import { rootPaths, withRoots } from '../../src/host/system-paths.ts';
import { withBlock } from '../../src/host/managed-block.ts';
import { keepOutOfBackups, letIntoBackups } from '../../src/setup/backups.ts';
import { describeJob, leftJobOf, refusals } from '../../src/setup/boot-job.ts';
import { rootRequest, userNeeds, type Builder } from '../../src/setup/builder-files.ts';
import * as applied from '../../src/setup/configure/apply-plan.ts';
import * as request from '../../src/setup/configure/check-request.ts';
import type { ConfigurePlan } from '../../src/setup/configure/configure-plan.ts';
import { describeGain, nothingToChange, thisNix } from '../../src/setup/configure/configure.ts';
import { effectLines } from '../../src/setup/configure/effects.ts';
import { protectedPath, unprotectedPath } from '../../src/setup/configure/gc-roots.ts';
import { declaredElsewhere, startsAtBoot } from '../../src/setup/configure/login-job.ts';
import { newSettings } from '../../src/setup/configure/new-settings.ts';
import { settleRoot } from '../../src/setup/configure/root-part.ts';
import { showPlan } from '../../src/setup/configure/show-plan.ts';
import { portWarnings } from '../../src/setup/configure/port-warnings.ts';
import { describeSizes, sizeWarnings } from '../../src/setup/configure/size-warnings.ts';
import { describeOthers, directoryProblems, noModes } from '../../src/setup/directories.ts';
import * as legacy from '../../src/setup/legacy.ts';
import { unread, unusable } from '../../src/setup/prepare.ts';
import { noSuchUser, programLoose, scriptRefused } from '../../src/setup/root/as-root.ts';
import { toldBy } from '../../src/setup/root/report-drift.ts';
import { describeDrift } from '../../src/setup/root/root-drift.ts';
import * as root from '../../src/setup/root/root-files.ts';
import { parseRootValues } from '../../src/setup/root/root-plan.ts';
import {
  checkedByRoot,
  nothingToUndo,
  plannedRemoval,
  removalScript,
} from '../../src/setup/root/root-removal.ts';
import { forAdministrator, runScript, type ScriptRun } from '../../src/setup/root/run-script.ts';
import { leftToPerson, survey } from '../../src/setup/survey.ts';
import { describeRemoval, type RemovalPlan } from '../../src/setup/unconfigure/removal-plan.ts';
import * as words from '../../src/setup/unconfigure/unconfigure.ts';
import { describeUndo } from '../../src/host/undo.ts';
import { undoOf, type Undo } from '../../src/host/undo-of.ts';
import { rootRequestIn } from '../setup/root-request.ts';
import { directoryShownAs, shownAs, tells } from './tell.ts';
import { plainly, type Text } from '../../src/system/advice.ts';

const host = {
  ...({ arch: 'x64', platform: 'linux' } as const),
  cpus: 8,
  memoryMiB: 16384,
  diskGiB: 500,
  diskFreeGiB: 200,
};
const problem = { path: 'cpus', value: 99, message: 'must be at most 8', hint: 'Use fewer.' };
const tree = directoryShownAs('/there');
const layout = layoutOf(join(tree, 'builder'));
const systemPaths = withRoots({
  home: join(tree, 'home'),
  rootHome: join(tree, 'root'),
  etcNix: join(tree, 'etc'),
});
/** On a machine that is nobody's tree. */
const paths = rootPaths({ rootHome: '/root', etcNix: '/etc/nix' });
const signal = new AbortController().signal;
const file = (name: string, text = '') => {
  const path = join(tree, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};

const parsed = checkConfig(
  { cpus: 4, maxJobs: 2, speedFactor: 2, mandatoryFeatures: ['kvm'] },
  host,
);
if (!parsed.ok) throw new Error('the settings are right');
const hostPublicKey = `ssh-ed25519 ${'A'.repeat(68)}`;
const builder: Builder = {
  layout,
  systemPaths,
  config: parsed.config,
  settingsText: '{}\n',
  proxy: undefined,
  hostPublicKey,
  service: [],
  keeper: 'person',
  takenIn: undefined,
  owner: { name: 'ann', uid: 1000, directory: layout.root },
};
const roots = rootRequest(builder);
const purposes = (files: readonly { path: string; purpose: string }[]) =>
  files.map(({ path, purpose }) => `${path}: ${purpose}`);

/** What Time Machine's program, which does that, leads us to say. */
async function backups(does: string, back: boolean): Promise<string[]> {
  const said: string[] = [];
  const say = (line: Text) => void said.push(plainly(line));
  chmodSync(file('bin/tmutil', `#!/bin/sh\n${does}\n`), 0o755);
  const env = { PATH: join(tree, 'bin') };
  const world = { env, signal, clock: { now: () => 0 } as never, err: say };
  const receipt = { path: layout.root, put: 'backup-exclusion', before: null, digest: '' };
  file('builder/receipts.json', JSON.stringify(back ? [{ ...receipt, replaced: [], at: '' }] : []));
  if (back) return letIntoBackups(layout, world);
  await keepOutOfBackups(layout, world, say);
  return said;
}

const wanted = (path: string, more: Partial<WantedFile> = {}): WantedFile => ({
  path,
  purpose: 'its purpose',
  mode: 0o600,
  directoryMode: 0o700,
  byHand: 'Do this.',
  content: { kind: 'whole', text: 'ours', secret: false, isTheirs: () => true },
  ...more,
});
const changeTo = (name: string) => {
  const examined = examine(wanted(file(name, 'theirs')));
  return examined.kind === 'change' ? examined.change : undefined;
};
const given = (asked: object, more: object = {}) => {
  const settings = { asked, existing: undefined, host, diskBytes: undefined, ...more };
  const made = newSettings(settings);
  return made.ok ? undefined : made.problems.map(describeProblem);
};
const failing = (refused: ScriptRun['refused'], sudo: string, isRoot = true) =>
  runScript('exit 1', { isRoot, sudo, signal, err: () => undefined, refused });

async function asRoot(sudo: string): Promise<unknown[]> {
  const said: string[] = [];
  const err = (line: Text) => void said.push(plainly(line));
  const options = { needs: root.rootNeeds(roots), isRoot: false, sudo, signal, err };
  const failed: unknown = await settleRoot(options).catch((error: unknown) => error);
  return [...said, failed];
}

const receipt = (put: Receipt['put'], over: Partial<Receipt> = {}): Receipt => ({
  ...receiptOf(wanted('/home/ann/file'), undefined, 0),
  put,
  ...over,
});
const text = (bytes: string) => ({ kind: 'file', bytes: Buffer.from(bytes), mode: 0o644 }) as const;
const undone = (tense: 'done' | 'planned', ...[of, found, other]: Parameters<typeof undoOf>) =>
  describeUndo({ receipt: of, ...undoOf(of, found, other) }, tense);
const undo = (kind: Undo['kind']) =>
  (['done', 'planned'] as const).flatMap((tense) =>
    describeUndo({ receipt: receipt('whole'), undo: { kind } as Undo, notes: [] }, tense),
  );
const block = withBlock(Buffer.from('Host *\n'), ['Include x'], { position: 'first' } as never);

const shown = (plan: Partial<ConfigurePlan>) => {
  const said: string[] = [];
  const nothing = { ...survey([]), request: roots, unseen: [] };
  const whole = {
    directories: [],
    dropped: [],
    job: { kind: 'right' },
    user: survey([]),
    root: nothing,
    keys: { host: 'x', areMissing: false },
    ...plan,
  };
  showPlan(whole as unknown as ConfigurePlan, {
    layout,
    say: (line) => void said.push(plainly(line)),
  });
  return said;
};
const byHand = [{ path: '/etc/nix/machines', why: 'is a link to /x', text: 'Add this.' }];
const removal = {
  removal: { paths: systemPaths.roots, of: undefined },
  known: undefined,
};
const removed: RemovalPlan = {
  job: { kind: 'right' },
  root: { kind: 'nothing' },
  receipts: [],
  steps: [],
  loss: [],
  directory: '/builder',
  isPurged: false,
  isEmpty: true,
};
const purged: RemovalPlan = { ...removed, isPurged: true, isEmpty: false };

tells('setup', {
  'What configure refuses': {
    'one problem': () => [request.badSettings([problem]), ...request.badSettings([problem]).lines],
    'two problems': () => request.badSettings([problem, problem]),
    'a value that a setting does not have': () =>
      request.badSettings([{ ...problem, hint: readMore, hasCommonHint: true }]).lines,
    'a user without an entry': () => request.userUnknown(4711),
    'an image that is not there': () =>
      request.bundleProblems(join(tree, 'image'), undefined).map(describeProblem),
    'a file system without permissions': () => noModes('/media/stick/builder'),
    'the same, or a mark': () => noModes('/media/stick/builder', 'linux'),
    'the same, or a mark, on a Mac': () => noModes('/Volumes/A B/builder', 'darwin'),
    'a word that is no setting': () => given({}, { reset: ['colour'] }),
    'a setting that is given and reset': () => given({ cpus: 1 }, { reset: ['cpus'] }),
    'settings that are no JSON': () =>
      given({}, { existing: '{' })?.map((line) => plainly(line).replace(/\(.*\)/, '(...)')),
    'settings that are no object': () => given({}, { existing: '[]' }),
    'a smaller disk': () => given({ diskGiB: 10 }, { diskBytes: 80 * 1024 ** 3 }),
    'settings of a module': () => unusable('/etc/builder.json', [problem]),
    'settings of a module that cannot be read': () =>
      unread('/etc/builder.json', Object.assign(new Error('no'), { code: 'EISDIR' })),
    'a file in place of the directory': () =>
      directoryProblems(layoutOf(file('taken'))).map(describeProblem),
    'the state directory would be below a file': () =>
      directoryProblems(layoutOf(join(file('taken'), 'builder'))).map(describeProblem),
    "somebody's files in the directory": () => {
      file('full/notes');
      chmodSync(join(tree, 'full'), 0o700);
      return directoryProblems(layoutOf(join(tree, 'full'))).map(describeProblem);
    },
    "another user's directory": () => [
      ...describeOthers({ kind: 'foreign', path: '/builder', uid: 1001 }),
    ],
    'a directory in which others have put something': () => [
      ...describeOthers({ kind: 'planted', path: '/builder/config.json', uid: 1001 }),
    ],
    'a file that others can write': () => [
      ...describeOthers({ kind: 'loose', path: '/builder/config.json' }),
    ],
    'a directory below one of others': () => [
      ...describeOthers({ kind: 'below-others', path: '/shared' }),
    ],
  },
  "A directory of linuxkit-nix's": {
    'is not touched': () =>
      legacy.isLegacy('/builder', {
        asked: {},
        files: ['nix-disk', 'configure'],
        vmPid: undefined,
      }),
    'while its VM runs': () => legacy.itsVmLives('/builder', 4711),
    'is not undone': () => {
      const failure = legacy.wasNeverOurs('/builder');
      return [failure, ...(failure.lines ?? [])];
    },
    'is taken over': () => applied.movedLegacy('/builder/linuxkit-nix'),
  },
  'What configure does': {
    'a change': () => changeTo('home/new')?.wanted && applied.createdKeys('/builder/keys'),
    'a file that replaces one': () => {
      const change = changeTo('home/theirs');
      return change && applied.describeChange(change);
    },
    'files of the user': () => purposes(userNeeds(builder).files),
    'the daemon starts at login': () => applied.startsAtLogin,
    'the daemon starts at boot': () => startsAtBoot,
    'nothing starts the daemon': () => applied.noKeeper,
    'a job that something else declares': () => [
      declaredElsewhere({ by: 'NixOS', path: '/etc/unit', restart: 'sudo x' }, undefined),
      declaredElsewhere({ by: 'NixOS', path: '/etc/unit', restart: 'sudo x' }, '/other'),
    ],
    'a path that is kept': () => protectedPath('/nix/store/x-node'),
    'a path that is not kept': () => unprotectedPath('/nix/store/x-node'),
    'a file that Nix generates': () => {
      const path = join(tree, 'generated');
      symlinkSync('/nix/store/00000000000000000000000000000000-x/config', path);
      return survey([wanted(path)]).byHand.flatMap(leftToPerson);
    },
    'a file that is a link': () => {
      const path = join(tree, 'link');
      symlinkSync(file('target'), path);
      return survey([wanted(path, { leavesLinks: true })]).byHand.flatMap(leftToPerson);
    },
    'Time Machine': () => backups('exit 0', false),
    'Time Machine, which refuses': () => backups('echo "no" >&2; exit 1', false),
    'the Nix that is here': () => thisNix('Nix 2.34'),
    nothing: () => nothingToChange,
  },
  'What a change of settings does': {
    all: () =>
      effectLines({ atOnce: ['keepAwake: on'], atStart: ['cpus: 2 to 4'], isUrgent: true }),
    'a better program': () =>
      describeGain({ kept: 'QEMU', better: 'vfkit', name: 'vfkit', why: 'it starts sooner' }),
    'a new builder': () => describeSizes({ ...parsed.config }, { ...host, performanceCores: 4 }),
    'a port that is for root': () =>
      portWarnings({ door: 'tcp', port: 80 }, { uid: 501, least: 1024 }),
    'sizes that disappoint': () =>
      sizeWarnings({ cpus: 1, memoryMiB: 1024, maxJobs: 4, diskGiB: 80 }, { diskFreeGiB: 3 }),
  },
  'A dry run': {
    'of a first configure': () =>
      shown({
        keys: { host: undefined, areMissing: true },
        directories: [
          { path: '/builder', kind: 'make' },
          { path: '/builder/keys', kind: 'make-private' },
        ],
        root: {
          ...survey([]),
          request: roots,
          unseen: [{ path: '/etc/x', purpose: 'its purpose' }],
          byHand,
        },
      }),
    'of the job at boot': () =>
      describeJob({
        kind: 'write',
        script: '',
        file: wanted(file('right', 'ours'), { mode: 0o644 }),
      }),
    'of the job at boot, taken away': () =>
      describeJob({ kind: 'remove', path: '/etc/unit', script: '' }),
    'of unconfigure': () =>
      describeRemoval({
        ...purged,
        loss: ["the guest's disk", 'the keys'],
        directory: '/builder',
      }),
    'of unconfigure, of a directory in which nothing is lost': () => describeRemoval(purged),
    'of unconfigure, with root': () => {
      file('etc/machines');
      file('root/.ssh/config');
      file('etc/linuxkit-builder/made', `${systemPaths.etcNix}/machines\n`);
      return [...plannedRemoval(removal), checkedByRoot('/root/.ssh/config')];
    },
    'of unconfigure, with nothing': () => describeRemoval(removed),
  },
  "Root's part": {
    'is asked for, and cannot be run': () => asRoot(shownAs('/nonexistent/sudo', 'sudo')),
    'is asked for, and refused': async () => {
      const sudo = shownAs(file('bin/sudo', '#!/bin/sh\nexit 1\n'), 'sudo');
      chmodSync(sudo, 0o755);
      return (await asRoot(sudo)).slice(-1);
    },
    'with a door that is a socket': () =>
      purposes(root.rootNeeds({ ...roots, door: 'unix' }).unseen),
    'with a door that is a port again': () => {
      mkdirSync(join(systemPaths.etcNix, 'linuxkit-builder/door'), { recursive: true });
      return purposes(root.rootNeeds(roots).unseen);
    },
    'files of root': () => purposes(root.rootNeeds(roots).files),
    'is printed': () => [
      forAdministrator("Root's files were"),
      forAdministrator('The job at boot was'),
    ],
    'for a list that a configuration makes': () =>
      (['nix-darwin', 'determinate'] as const).map(
        (keeper) => root.rootNeeds({ ...roots, keeper }).files.at(-1)?.byHand,
      ),
    'for a list of builders that is a link': () => root.rootNeeds(roots).files.at(-1)?.byHandOfLink,
    'for an ssh configuration that one makes': () => root.rootNeeds(roots).files[2]?.byHand,
    'fails for the job at boot': () => failing(refusals.write, 'sudo'),
    'fails where that is taken away': () => failing(refusals.remove, 'sudo'),
    'fails for a removal': () => failing(words.removalRefused, 'sudo'),
    'fails by a sudoers rule': () => failing(scriptRefused, 'sudo'),
    'by a sudoers rule, without a user': () => noSuchUser('4711'),
    'by a sudoers rule, without a name of one': () => noSuchUser(''),
    'by a sudoers rule, of a program that others can change': () => programLoose('/opt/node'),
    'by a sudoers rule, with bad values': () => parseRootValues('{}'),
    'by a sudoers rule, with a bad key': () =>
      parseRootValues(
        JSON.stringify({
          port: 1,
          holdSeconds: 10,
          system: 'x86_64-linux',
          maxJobs: 1,
          features: [],
          hostPublicKey: 'x',
        }),
      ),
    "by a sudoers rule, another's job": () => leftJobOf('bob', '/etc/unit'),
    'is out of date': () => [
      describeDrift({ files: ['/etc/x'], differs: [] }),
      toldBy({ files: ['/etc/x'], differs: [{ name: 'port', told: 1, set: 2 }, { name: 'key' }] })
        .sentence,
      toldBy({ files: [], differs: [] }).remedy,
    ],
  },
  'What root runs': {
    'for configure': () => root.rootScript(root.rootNeeds({ ...rootRequestIn('/there'), paths })),
    'for configure, with a door that is a socket': () =>
      root.rootScript(root.rootNeeds({ ...rootRequestIn('/there'), paths, door: 'unix' })),
    'for configure, after an older release': () => {
      const old = rootPaths({ rootHome: join(tree, 'old/root'), etcNix: join(tree, 'old/nix') });
      const { owner } = builder;
      const record = JSON.stringify({ version: 1, owner, receipts: [receipt('whole')] });
      file('old/nix/linuxkit-builder/installed.json', record);
      return root.rootScript(root.rootNeeds({ ...roots, paths: old }), { renewsKey: true });
    },
    'for unconfigure': () =>
      removalScript({
        removal: { paths, of: { uid: 1000, directory: '/builder' } },
        known: {
          owner: builder.owner,
          receipts: [],
          replaced: { machines: [{ line: 0, text: 'nix-linuxkit\n' }] },
        },
      }),
  },
  'What unconfigure does': {
    'a file that was ours': () => undo('delete'),
    'a directory that is empty': () => undo('delete-directory'),
    'lines in a file': () => undo('write'),
    'a file that was replaced': () => undo('put-back'),
    'a file that only root can read': () => undo('unknown'),
    'a file that Nix generates now': () =>
      undone('done', receipt('whole'), { kind: 'in-store', target: '/nix/store/x' }),
    'a directory in place of a file': () =>
      undone('done', receipt('whole'), { kind: 'directory', names: [] }),
    'a directory with more in it': () =>
      undone('done', receipt('directory'), { kind: 'directory', names: ['notes'] }),
    'a file in place of a directory': () => undone('done', receipt('directory'), text('x')),
    'a file that was changed': () => undone('done', receipt('whole'), text('changed')),
    "lines that lead to the user's other builder": () =>
      undone('done', receipt('block'), { kind: 'file', bytes: block, mode: 0o644 }, () => '/other'),
    'lines that were changed, in a file of another mode': () =>
      undone('done', receipt('block', { before: { mode: 0o600, uid: 0, gid: 0 } }), {
        kind: 'file',
        bytes: block,
        mode: 0o644,
      }),
    'lines that are gone, with those that they replaced': () =>
      undone(
        'done',
        receipt('block', { replaced: [{ line: 0, text: 'Host old\n' }] }),
        text('Host *\n'),
      ),
    'the job of a configuration': () => words.leftDeclared('NixOS', '/etc/unit'),
    'the daemon': () => [words.waitsForKeeper('launchd'), words.stoppedDaemon],
    "another's builder": () =>
      words.leftRoots({ name: 'bob', uid: 1001, directory: '/home/bob/builder' }),
    'Time Machine': () => backups('exit 0', true),
    'Time Machine, which refuses': () => backups('exit 1', true),
    'a directory with other files': () => words.leftDirectory('/builder'),
    'the directory': () => [
      words.deletedDirectory('/builder', []),
      words.deletedDirectory('/builder', ['notes']),
      words.emptiedDirectory('/builder'),
    ],
    'what it keeps': () => words.keptThese(["the guest's disk", 'the keys'], '/builder'),
    'nobody to confirm': () => words.needsYes('the keys, in /builder'),
    'no confirmation': () => words.nothingChanged,
    nothing: () => nothingToUndo,
  },
});
