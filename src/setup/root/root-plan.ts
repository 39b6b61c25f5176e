/**
 * What only root may write: the files from which the ssh of nix-daemon learns where the guest is, and Nix's line. Root is told a few
 * values of the builder and whose it is; all else is root's own.
 */
import * as v from 'valibot';
import { settingSchemas } from '../../config/config.ts';
import { Exit, Failed } from '../../system/failure.ts';
import type { WantedFile } from '../../host/file-change.ts';
import { installedText, readInstalled, replacedIn, type Owner } from '../../host/installed.ts';
import { hasBuilder, machinesLine } from '../../nix/machines.ts';
import { blockLines } from '../../host/managed-block.ts';
import type { NixVariant } from '../../nix/variant.ts';
import type { RootPaths } from '../../host/system-paths.ts';
import { hasLine, withLine, type RootLine } from '../../host/root/root-lines.ts';
import { alias, guestUser, includeLine, knownHostsLine, sshConfig } from '../../nix/ssh/stanza.ts';
import type { NewerOption } from '../../nix/ssh/newer.ts';
import { advice, ours } from '../../system/advice.ts';

/** As the settings have it, all of them given; the key is the guest's own, without a comment. */
const toldSchema = v.strictObject({
  door: settingSchemas.door,
  port: v.unwrap(settingSchemas.port),
  holdSeconds: v.unwrap(settingSchemas.holdSeconds),
  system: v.unwrap(settingSchemas.system),
  extraSystems: settingSchemas.extraSystems,
  maxJobs: v.unwrap(settingSchemas.maxJobs),
  features: v.unwrap(settingSchemas.features),
  mandatoryFeatures: settingSchemas.mandatoryFeatures,
  speedFactor: settingSchemas.speedFactor,
  protocol: settingSchemas.protocol,
  hostPublicKey: v.pipe(v.string(), v.regex(/^ssh-ed25519 [A-Za-z0-9+/]{68}$/, 'must be a key')),
});

/** What root is told of a builder. */
type RootValues = Readonly<v.InferOutput<typeof toldSchema>>;

/** Those values alone. What is as by default is left out: the program that is root's own may be older than ours. */
export const rootValuesOf = (request: RootRequest): v.InferInput<typeof toldSchema> => {
  const { port, holdSeconds, system, maxJobs, features, hostPublicKey } = request;
  const { door, extraSystems, mandatoryFeatures, speedFactor, protocol } = request;
  return {
    ...(door !== 'tcp' && { door }),
    port,
    holdSeconds,
    system,
    maxJobs,
    features,
    hostPublicKey,
    ...(extraSystems.length > 0 && { extraSystems }),
    ...(mandatoryFeatures.length > 0 && { mandatoryFeatures }),
    ...(speedFactor !== 1 && { speedFactor }),
    ...(protocol !== 'ssh-ng' && { protocol }),
  };
};

export interface RootRequest extends RootValues {
  readonly paths: RootPaths;
  readonly owner: Owner;
  /** How ssh reaches a door that is no port (./door-helper.ts). */
  readonly proxy?: string | undefined;
  /** Who makes /etc/nix. */
  readonly keeper: NixVariant['keeper'];
  /** Whether root's ssh leads to the guest already, as {@link isTakenIn} has it; absent where that is not known. */
  readonly takenIn?: boolean | undefined;
  /** Options that root's configuration of ssh has for every host, and our stanza takes back. */
  readonly takenBack?: readonly NewerOption[];
}

/** Files that are root's and ours whole, in our own directory. */
export function ownFiles(request: RootRequest) {
  const { paths, port, proxy, holdSeconds, takenBack = [] } = request;
  const { clientKey: identityFile, knownHosts } = paths;
  const stanza = { port, proxy, holdSeconds, identityFile, knownHosts, takenBack };
  return {
    knownHosts: whole(
      paths.knownHosts,
      "the guest's public key",
      knownHostsLine(request.hostPublicKey),
    ),
    sshConfig: whole(paths.sshConfig, "how nix-daemon's ssh reaches the guest", sshConfig(stanza)),
    list: whole(paths.list, "the builder's line, for Nix", `${machinesLine(request)}\n`),
  };
}

const whole = (path: string, purpose: string, text: string) => ({
  path,
  purpose,
  mode: 0o644,
  directoryMode: 0o755,
  byHand: '',
  content: { kind: 'whole' as const, text, secret: false },
});

/** Our line in each of the two files that are not ours. */
export const rootLines = (paths: RootPaths): Readonly<Record<'ssh' | 'machines', RootLine>> => ({
  ssh: { line: includeLine(paths.sshConfig), position: 'first' },
  machines: { line: `@${paths.list}`, position: 'last' },
});

/** All of root's files but its key, in the order in which they are written: Nix hears of the builder last. */
export function rootFiles(request: RootRequest): readonly WantedFile[] {
  const { paths } = request;
  const { knownHosts, sshConfig, list } = ownFiles(request);
  const known = readInstalled(paths.installed);
  const text = installedText(request.owner, replacedIn(known, paths));
  const record = whole(paths.installed, 'who owns the builder', text);
  const lines = rootLines(paths);
  const ssh = {
    path: paths.ssh,
    purpose: "root's ssh configuration, which includes our file first",
    content: sshContent(lines.ssh, request),
    mode: 0o600,
    directoryMode: 0o700,
    leavesLinks: true,
    byHand: `Add this line at the top of what generates ${paths.ssh}:\n${lines.ssh.line}`,
  };
  return [record, knownHosts, ssh, sshConfig, list, machinesFile(request, lines.machines)];
}

const machinesFile = (request: RootRequest, ours: RootLine): WantedFile => ({
  path: request.paths.machines,
  purpose: "Nix's list of builders, which includes ours",
  content: lineContent(ours, (now) => namesBuilder(now, ours.line)),
  mode: 0o644,
  directoryMode: 0o755,
  leavesLinks: true,
  byHand: machineOption(request),
  byHandOfLink: `Add this line to that file:\n${ours.line}`,
  // Its activation refuses to go on over a file that it does not know.
  ...(request.keeper === 'nix-darwin' ? { keeper: request.keeper } : {}),
});

const namesBuilder = (text: string, line: string): boolean =>
  hasLine(text, line) || hasBuilder(Buffer.from(text, 'latin1'));

/** Where our line stands is no matter but to ssh; where that cannot be asked, it counts as it is. */
function sshContent(line: RootLine, { takenIn }: RootRequest): WantedFile['content'] {
  const content = lineContent(line, (now) => takenIn ?? hasLine(now, line.line));
  const isRight = (now: Uint8Array) =>
    takenIn === true || (takenIn === undefined && blockLines(now)?.join('\n') === line.line);
  return { ...content, edit: (now) => (isRight(now) ? Buffer.from(now) : content.edit(now)) };
}

function lineContent(line: RootLine, isThere: (now: string) => boolean) {
  const textOf = (now: Uint8Array) => Buffer.from(now).toString('latin1');
  return {
    kind: 'block' as const,
    lines: [line.line],
    edit: (now: Uint8Array) => Buffer.from(withLine(textOf(now), line), 'latin1'),
    replaces: () => [],
    isThere: (now: Uint8Array) => isThere(textOf(now)),
  };
}

/** What somebody whom root does not know to be true may say of a builder: each value as the settings take it, and no other. */
export function parseRootValues(text: string): RootValues {
  try {
    return v.parse(toldSchema, JSON.parse(text));
  } catch (error) {
    const failure = {
      kind: 'root-part-garbled',
      message: `The input of configure --root-part is not valid: ${(error as Error).message}.`,
      hint: advice`Run ${ours('configure')}, which uses sudo itself.`,
      exit: Exit.dataError,
    };
    throw new Failed(failure, { cause: error });
  }
}

function machineOption(request: RootRequest): string {
  const { keeper, features, system, maxJobs, hostPublicKey } = request;
  const { extraSystems, mandatoryFeatures, speedFactor, protocol } = request;
  const list = (words: readonly string[]) => `[ ${words.map((word) => `"${word}"`).join(' ')} ]`;
  // Determinate's own module for nix-darwin, which turns nix.* off.
  const nix = keeper === 'determinate' ? 'determinateNix' : 'nix';
  return [
    `Add this to your ${keeper === 'determinate' ? 'nix-darwin' : 'NixOS or nix-darwin'} configuration:`,
    `  ${nix}.distributedBuilds = true;`,
    `  ${nix}.buildMachines = [ {`,
    `    hostName = "${alias}"; protocol = "${protocol}"; sshUser = "${guestUser}";`,
    `    systems = ${list([system, ...extraSystems])}; maxJobs = ${maxJobs};`,
    `    supportedFeatures = ${list(features)};`,
    ...(mandatoryFeatures.length > 0
      ? [`    mandatoryFeatures = ${list(mandatoryFeatures)};`]
      : []),
    ...(speedFactor === 1 ? [] : [`    speedFactor = ${speedFactor};`]),
    `    publicHostKey = "${Buffer.from(hostPublicKey).toString('base64')}";`,
    '  } ];',
  ].join('\n');
}
