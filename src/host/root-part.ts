/**
 * What only root may write: the files from which the ssh of nix-daemon learns where the guest is, and Nix's line. A request
 * holds all that is to be known, so that the part that runs as root reads nothing that another user can write.
 */
import { dirname } from 'node:path';
import * as v from 'valibot';
import { Exit, Failed } from '../system/failure.ts';
import {
  applyChange,
  examine,
  makeDirectories,
  type Examined,
  type WantedFile,
} from './file-change.ts';
import { isLegacyInclude } from './legacy.ts';
import { withBlock } from './managed-block.ts';
import { ownerSchema, readInstalled, recordInstalled, refuseSecondUser } from './installed.ts';
import { hasBuilder, parseMachines, strayMachines, withMachine } from './machines.ts';
import { rootLayout } from './places.ts';
import { directoryReceipt, directoryReceipts, receiptOf, receiptsOf } from './receipts.ts';
import { strayLines, withoutStrays } from './stray-lines.ts';
import { includeLine, knownHostsLine, sshConfig } from './ssh.ts';

const absolute = v.pipe(v.string(), v.regex(/^\/[^"\n]*$/));
const oneLine = v.pipe(v.string(), v.regex(/^[^\n]+$/));

const requestSchema = v.strictObject({
  rootHome: absolute,
  etcNix: absolute,
  owner: ownerSchema,
  port: v.number(),
  holdSeconds: v.number(),
  /** The private key's file, text. */
  clientKey: v.string(),
  hostPublicKey: oneLine,
  machinesLine: oneLine,
  /** What to write into a NixOS or nix-darwin configuration instead. */
  machineOption: v.string(),
  /** Who makes /etc/nix. */
  keeper: v.picklist(['person', 'determinate', 'nix-darwin', 'nixos']),
});

/** All that root needs to know. Holds a private key. */
export type RootRequest = Readonly<v.InferOutput<typeof requestSchema>>;

const answerSchema = v.strictObject({
  /** Paths. */
  changed: v.array(v.string()),
  byHand: v.array(v.strictObject({ path: v.string(), target: v.string(), text: v.string() })),
});

/** What root changed, and what has to be done by hand since the Nix store owns it. */
export type RootAnswer = v.InferOutput<typeof answerSchema>;

/** Root's files, in the order in which they are written: Nix hears of the builder last. */
export function rootFiles(request: RootRequest): readonly WantedFile[] {
  const paths = rootLayout(request);
  const ours = { directoryMode: 0o755, byHand: '' };
  const whole = (text: string, secret: boolean) => ({ kind: 'whole' as const, text, secret });
  const include = includeLine(paths.sshConfig);
  const config = sshConfig({
    port: request.port,
    holdSeconds: request.holdSeconds,
    identityFile: paths.clientKey,
    knownHosts: paths.knownHosts,
  });
  return [
    {
      ...ours,
      path: paths.clientKey,
      purpose: "the key with which nix-daemon's ssh logs in",
      content: whole(request.clientKey, true),
      mode: 0o600,
    },
    {
      ...ours,
      path: paths.knownHosts,
      purpose: "the guest's public key",
      content: whole(knownHostsLine(request.hostPublicKey), false),
      mode: 0o644,
    },
    {
      ...ours,
      path: paths.sshConfig,
      purpose: "where nix-daemon's ssh finds the guest",
      content: whole(config, false),
      mode: 0o644,
    },
    includeFile(paths.ssh, include, "root's ssh reads the file above"),
    {
      path: paths.machines,
      purpose: "Nix's list of builders",
      content: {
        kind: 'block',
        lines: [request.machinesLine],
        edit: (now) => checkedMachines(withMachine(now, request.machinesLine), request),
        replaces: strayMachines,
        isThere: hasBuilder,
      },
      mode: 0o644,
      directoryMode: 0o755,
      byHand: request.machineOption,
      // Its activation refuses to go on over a file that it does not know.
      ...(request.keeper === 'nix-darwin' ? { keeper: request.keeper } : {}),
    },
  ];
}

/** An ssh configuration of somebody that takes in ours, before anything else it says. */
export function includeFile(path: string, line: string, purpose: string): WantedFile {
  return {
    path,
    purpose,
    content: {
      kind: 'block',
      lines: [line],
      edit: (now) => withBlock(withoutStrays(now, isLegacyInclude), [line], 'first'),
      replaces: (now) => strayLines(now, isLegacyInclude),
      isThere: (now) => Buffer.from(now).toString('utf8').includes(line),
    },
    mode: 0o600,
    directoryMode: 0o700,
    byHand: `Put this line at the top of what makes ${path}:\n${line}`,
  };
}

/** Writes root's files, each after its receipt. Run as root. */
export function performRootPart(request: RootRequest, now: number): RootAnswer {
  const { owner } = request;
  const { installed } = rootLayout(request);
  const known = readInstalled(installed);
  refuseSecondUser(known, owner.uid);
  // Ours also where an end before the first receipt left it.
  const own = directoryReceipt(dirname(installed), now);
  const made = directoryReceipts(installed, now).filter(({ path }) => path !== own.path);
  makeDirectories(installed, 0o755);
  if (known === undefined) recordInstalled(installed, owner, [...made, own]);
  const answer: RootAnswer = { changed: [], byHand: [] };
  for (const wanted of rootFiles(request)) {
    const examined = examine(wanted);
    switch (examined.kind) {
      case 'hidden':
        throw new Failed(notRoot(wanted.path));
      case 'in-store':
        answer.byHand.push(byHandOf(wanted, examined));
        break;
      case 'declared':
        break;
      case 'right':
        recordInstalled(installed, owner, [receiptOf(wanted, examined, now)]);
        break;
      case 'change':
        recordInstalled(installed, owner, receiptsOf(examined.change, now));
        applyChange(examined.change);
        answer.changed.push(wanted.path);
    }
  }
  return answer;
}

export function byHandOf(
  { path, byHand }: WantedFile,
  { target }: Extract<Examined, { kind: 'in-store' }>,
): RootAnswer['byHand'][number] {
  return { path, target, text: byHand };
}

/** What stands on root's input, if it is whole. */
export const parseRequest = (text: string): RootRequest => parse(requestSchema, text, 'request');

/** What root wrote on its output. */
export const parseAnswer = (text: string): RootAnswer => parse(answerSchema, text, 'answer');

function parse<S extends typeof requestSchema | typeof answerSchema>(
  schema: S,
  text: string,
  what: string,
): v.InferOutput<S> {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (error) {
    const failure = {
      kind: 'root-part-garbled',
      message: `This is not the ${what} of configure's root part: ${(error as Error).message}.`,
      hint: 'Run linuxkit-builder configure, which asks for root itself.',
      exit: Exit.dataError,
    };
    throw new Failed(failure, { cause: error });
  }
}

/** The file, if Nix will find our line in it; anything else is a fault of ours, and must not reach the disk. */
function checkedMachines(file: Buffer, { machinesLine }: RootRequest): Buffer {
  const [store] = machinesLine.split(' ');
  for (const rules of ['old', 'new'] as const) {
    const { machines } = parseMachines(file.toString('latin1'), rules);
    if (!machines.some((machine) => machine.store === store))
      throw new Error(`Nix would not read our line by its ${rules} rules: ${machinesLine}`);
  }
  return file;
}

const notRoot = (path: string) => ({
  kind: 'not-root',
  message: `${dirname(path)} cannot be read.`,
  hint: 'This part has to run as root.',
  exit: Exit.noPermission,
});
