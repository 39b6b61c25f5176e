/** `doctor --report`: everything that a report of a fault needs, in one text, and nothing that is secret. */
import { existsSync, readdirSync } from 'node:fs';
import { release } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { readSettings } from '../../config/read-settings.ts';
import { settingNames } from '../../config/settings.ts';
import { bootTable } from '../../supervisor/status/boot-picture.ts';
import { describeNix } from '../../nix/variant.ts';
import { chooseImage } from '../../supervisor/start/image-choice.ts';
import { findStatus } from '../../client/found.ts';
import { plainly, type Text } from '../../system/advice.ts';
import { run } from '../../system/process/child.ts';
import { Failed } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import { lastLinesOf } from '../../system/files/rotated-log.ts';
import { hostFacts, systemVersion } from '../../system/host/host.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { counted } from '../../domain/counted.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import { bundleAt, readManifest } from '../../vm/boot-image.ts';
import { qemuProgram } from '../../vm/qemu/qemu-argv.ts';
import { nativeSystem } from '../../domain/guest-system.ts';
import { bootsOf } from '../../command/boot-logs.ts';
import { refuseOthersLink, writeNamed } from '../../command/named-file.ts';
import type { CliContext } from '../../command/context.ts';
import type { DoctorFacts } from '../facts.ts';
import { jobPaths } from '../../service/job-files.ts';
import { journalLines } from './report-journal.ts';
import { scrubbed } from './report-scrub.ts';
import { secretsOf } from './report-secrets.ts';

interface ReportInput {
  readonly layout: Layout;
  readonly context: CliContext;
  readonly version: string;
  readonly nix: DoctorFacts['nix'];
  /** What doctor has found, as it says it. */
  readonly found: readonly Text[];
}

/** Writes it where only its owner can read it; its absolute path. */
export async function writeReport(file: string, input: ReportInput): Promise<string> {
  const path = resolve(file);
  refuseOthersLink(path);
  const { layout, context } = input;
  const parts = await partsOf(input);
  const text = parts.map(([title, lines]) => [`== ${title}`, ...lines, ''].join('\n')).join('\n');
  // Shortened last: of a secret that was cut through nobody would know the rest.
  const safe = scrubbed(text, secretsOf(layout, context)).split('\n').map(shortened).join('\n');
  writeNamed(path, safe, 0o600);
  return path;
}

type Part = readonly [title: string, lines: readonly string[]];

async function partsOf(input: ReportInput): Promise<Part[]> {
  const { layout, context, found } = input;
  const part = async (title: string, lines: () => readonly string[] | Promise<readonly string[]>) =>
    [title, await orWhy(lines)] as const;
  const tail = (title: string, path: string, count: number) =>
    part(title, () => lastLinesOf(path, count) ?? ['(none)']);
  return [
    await part('machine', () => machineLines(input)),
    await part('doctor', () => found.map(plainly)),
    await part('settings', () => settingLines(readIfThere(layout.config))),
    await part('status', async () => jsonLines(await findStatus(layout, context))),
    await part('starts', () => bootTable(bootsOf(layout).slice(-10))),
    await part('verdicts', () => jsonLines(JSON.parse(readIfThere(layout.verdicts) ?? 'null'))),
    await part('image', () => imageLines(input)),
    await part('incidents', () => namesIn(layout.incidents)),
    await tail("daemon's log", layout.log, 300),
    await tail("daemon's output", layout.daemonOutput, 50),
    await tail("VM's output", layout.vmOutput, 50),
    await tail("network's output", layout.networkOutput, 50),
    await tail("guest's console", layout.consoleLog, 300),
    await tail("launcher's log", jobPaths(context).log, 50),
    await tail("nix-darwin's launcher", join(layout.root, moduleLog), 50),
    await part("unit's journal", async () => (await journalLines(layout, context)) ?? ['(none)']),
  ];
}

/** Where the module for nix-darwin has the launcher write, below the state directory. */
const moduleLog = 'launchd.log';

/** In place of a part whose words might repeat what nobody should read. */
export const partUnread = '(cannot be read)';

/** A part that cannot be had says why; in its own words alone, since those of a parser repeat what it read. */
async function orWhy(lines: () => readonly string[] | Promise<readonly string[]>) {
  try {
    return await lines();
  } catch (error) {
    return [error instanceof Failed ? `(${error.failure.message})` : partUnread];
  }
}

async function machineLines({
  layout,
  context,
  version,
  nix: findNix,
}: ReportInput): Promise<readonly string[]> {
  const { cpus, memoryMiB, isLimited, diskGiB, diskFreeGiB } = hostFacts(layout.root);
  const { platform, macos = release() } = systemVersion();
  const nix = await findNix();
  const names = Object.keys(context.env).filter((name) => telling.test(name));
  return [
    `linuxkit-builder ${version}, Node ${process.versions.node}`,
    `${platform} ${macos}, ${process.arch}, ${counted(cpus, 'CPU')}, ${memoryMiB} MiB${isLimited ? ' (limited)' : ''}, disk ${diskGiB} GiB, ${diskFreeGiB} GiB free`,
    nix === undefined ? 'Nix: not found' : describeNix(nix),
    ...(await Promise.all(programs().map((program) => programLine(program, context)))),
    `environment variables that are set: ${names.sort().join(', ')}`,
  ];
}

/** Variables that change what we or Nix do; told by name. */
const telling = /^(NIX_|LINUXKIT_BUILDER_|XDG_|SSH_|(https?|all|no|ftp)_proxy$|LANG$|LC_|TMPDIR$)/i;

const programs = (): readonly (readonly [name: string, flag: string])[] => [
  [qemuProgram({ system: nativeSystem(process.arch) }), '--version'],
  ['ssh', '-V'],
  ['mksquashfs', '-version'],
];

async function programLine(
  [name, flag]: readonly [string, string],
  { env, signal }: CliContext,
): Promise<string> {
  const path = tryProgram(name, env['PATH']);
  if (path === undefined) return `${name}: not found`;
  const { stdout, stderr } = await run(path, [flag], { timeoutMs: 10_000, signal });
  return `${name}: ${`${stdout}${stderr}`.trim().split('\n')[0] ?? ''}`;
}

/** Those that we know. An address may have a login in it, and a path somebody's name: that they are set is told. */
function settingLines(text: string | undefined): readonly string[] {
  if (text === undefined) return ['(none)'];
  return Object.entries(fieldsOf(JSON.parse(text))).map(([name, value]) => {
    if (!settingNames.includes(name)) return '(unknown setting)';
    const isText = typeof value === 'string' && /[/:@]/.test(value);
    return `${name}: ${isText ? '(set)' : JSON.stringify(value)}`;
  });
}

/** Of each image that there is, and of one of somebody's own that the guest boots. */
async function imageLines({ layout, context }: ReportInput): Promise<readonly string[]> {
  const found = await findStatus(layout, context);
  const running = found.daemon === 'alive' ? found.status.image?.prefix : undefined;
  const { config } = readSettings(layout);
  const used = running ?? (config && chooseImage(config, layout).prefix);
  const end = '-manifest.json';
  const made = namesIn(layout.images)
    .filter((name) => name.endsWith(end))
    .map((name) => join(layout.images, name.slice(0, -end.length)));
  return [...new Set([...made, ...(used === undefined ? [] : [used])])].map((prefix) => {
    const isOurs = dirname(prefix) === layout.images;
    const name = `${isOurs ? basename(prefix) : 'the bundle'}${prefix === used ? inUse : ''}`;
    return `${name}: ${describeImage(prefix)}`;
  });
}

/** Behind the name of the image that the guest has booted, or boots at its next start. */
const inUse = ' (in use)';

function describeImage(prefix: string): string {
  try {
    const manifest = readManifest(bundleAt(prefix));
    if (manifest === undefined) return 'has no manifest';
    const { arch, kernelVersion, indexDate, inputs, packages } = manifest;
    const nix = packages['nix-bin'] ?? 'none';
    const head = `${arch}, Linux ${kernelVersion}, Nix ${nix}, ${indexDate}`;
    return [head, ...jsonLines(inputs)].join('\n');
  } catch {
    return partUnread;
  }
}

const namesIn = (folder: string): readonly string[] =>
  existsSync(folder) ? readdirSync(folder).sort() : ['(none)'];

const jsonLines = (value: unknown): readonly string[] => JSON.stringify(value, null, 1).split('\n');

/** In characters. What is longer is a dump, which nobody reads in a report. */
const longestLine = 2000;
const shortened = (line: string): string =>
  line.length > longestLine ? `${line.slice(0, longestLine)}...` : line;
