/** `image build`: puts mirror, lock, recipe and progress together. Loaded when it is called. */
import { join, resolve } from 'node:path';
import { builtImage } from '../../config/image-prefix.ts';
import type { Layout } from '../../config/layout.ts';
import type { System } from '../../domain/guest-system.ts';
import { buildImage } from '../../image/build.ts';
import { currentLock, lockToRenew, usable, type LockPaths } from '../../image/current-lock.ts';
import { writeLock } from '../../image/image-lock.ts';
import { ageOf, describeAge } from '../../vm/image-age.ts';
import { newsIn, writeNews } from '../../image/image-news.ts';
import { chooseMirror } from '../../image/mirror/choose-mirror.ts';
import { areCached } from '../../image/http/cached-file.ts';
import { checkMirror, findMirror } from '../../image/mirror/mirror.ts';
import { findSecurityMirror } from '../../image/mirror/security-mirror.ts';
import { fetchRelease } from '../../image/debian/release.ts';
import { recipe, type Arch } from '../../image/recipe.ts';
import { readKeyring } from '../../image/debian/signature.ts';
import { proxiesOf } from '../../image/http/proxy.ts';
import { readAptSettings } from '../../image/mirror/apt-settings.ts';
import { trustedRoots } from '../../image/http/roots.ts';
import { Web } from '../../image/http/web.ts';
import { findSquashfsTool } from '../../image/tree/squashfs-tool.ts';
import type { SupplyOptions } from '../../image/supply.ts';
import { describeRenewal, freshLock } from '../../image/update.ts';
import { claimDirectory } from '../../host/directory/directory-mark.ts';
import { advice, type Text } from '../../system/advice.ts';
import { makeDirectory } from '../../system/files/files.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import type { CliContext, DirectoryOption } from '../../command/context.ts';
import { describeBuilt, nextStartWords, waitingForFetch } from './image-words.ts';
import { waitingForOther } from '../../command/announce-slow.ts';
import { noView, progressView, type ProgressView } from '../../command/progress.ts';

/** As `image build`, `image update` and `upgrade` are called. */
export interface BuildCommandOptions extends DirectoryOption {
  readonly mirror?: string;
  readonly securityMirror?: string;
  readonly snapshots?: string;
  readonly acceptExpiredIndex?: boolean;
  /** Renews the lock first: `own` the program's, where its sources are. */
  readonly update: false | 'own' | 'state';
  /** Looks whether there is anything newer, and makes nothing. */
  readonly check?: boolean;
  readonly arch: Arch;
  readonly output?: string;
  readonly quiet?: boolean;
}

/** Makes the image at the given prefix or that of the system's and says where it is. */
export async function buildCommand(
  options: BuildCommandOptions,
  layout: Layout,
  system: System,
  context: CliContext,
): Promise<void> {
  const reporter = await reporterFor(options, context);
  const lockPaths = lockPathsOf(layout, context);
  const call = { options, layout, system, context, lockPaths, reporter };
  try {
    const guess = await suppliesFor(call);
    // Before anything of ours: by it unconfigure knows that there is something.
    claimDirectory(layout);
    makeDirectory(layout.state);
    if (options.check === true) {
      const { checkForNews } = await import('./check-updates.ts');
      const found = await checkForNews(layout, call.lockPaths, { ...guess, arch: options.arch });
      return reporter.result(found);
    }
    const supplies = await withMirror(call, guess);
    if (options.update !== false) await renew(call, supplies);
    await make(call, supplies);
  } finally {
    reporter.end();
  }
}

/** Where a lock can be: the program's own, and the one that `image update` makes. */
const lockPathsOf = ({ imageLock }: Layout, { assets }: CliContext): LockPaths => ({
  own: join(assets, 'src/image/lock.json'),
  updated: imageLock,
});

/** One call of the command. */
interface Call {
  readonly options: BuildCommandOptions;
  readonly layout: Layout;
  /** The guest's, whose image it is. */
  readonly system: System;
  readonly context: CliContext;
  readonly lockPaths: LockPaths;
  readonly reporter: Reporter;
}

/** The image, and what there is to say of it: where it is, that it is old, when it is used. */
async function make(call: Call, supplies: SupplyOptions): Promise<void> {
  const { options, layout, system, context, lockPaths, reporter } = call;
  const { clock, signal } = context;
  const prefix =
    options.output === undefined ? builtImage(layout, system) : resolve(options.output);
  const onWaiting = () => reporter.say(waitingForOther);
  const built = await buildImage({
    ...supplies,
    arch: options.arch,
    lock: currentLock(lockPaths, recipe),
    recipe,
    rootfs: join(context.assets, 'src/image/rootfs'),
    prefix,
    onStep: (step) => reporter.say(`${step}.`),
    alone: (work) =>
      withOperationLock(layout.startLock, { clock, signal, onWaiting }, () =>
        Promise.resolve(work()),
      ),
  });
  reporter.result(describeBuilt(prefix, built));
  const age = describeAge(ageOf(built.manifest, newsIn(layout), clock.now()));
  if (age !== undefined) reporter.warn(age);
  // One that was written to another place is no guest's next one.
  if (options.output === undefined) await tellNextStart(call);
}

/** Tells a person how a build goes. With --quiet it only warns. */
interface Reporter {
  /** What it does now. */
  readonly say: (line: Text) => void;
  /** What came of it: on stdout. */
  readonly result: (line: Text) => void;
  readonly warn: (line: Text) => void;
  show: ProgressView['show'];
  /** Takes away what shows the progress; each line does so first, since both are on the terminal's last line. */
  end(): void;
}

async function reporterFor({ quiet }: BuildCommandOptions, context: CliContext): Promise<Reporter> {
  const view = quiet === true ? noView : await progressView(context);
  const after = (tell: (line: Text) => void) => (line: Text) => {
    view.end();
    tell(line);
  };
  const nothing = () => undefined;
  return {
    say: quiet === true ? nothing : after((line) => context.err(line)),
    result: quiet === true ? nothing : after((line) => context.out(line)),
    warn: after((line) => context.err(advice`Warning: ${line}`)),
    show: (progress) => view.show(progress),
    end: () => view.end(),
  };
}

/** From a mirror that serves; nobody is asked where everything is here already. */
async function withMirror(
  { options, lockPaths, reporter }: Call,
  supplies: SupplyOptions,
): Promise<SupplyOptions> {
  const { mirror, securityMirror, update, arch } = options;
  const locked =
    update === false ? currentLock(lockPaths, recipe).architectures[arch].packages : undefined;
  if (locked !== undefined && areCached(locked, supplies.directory)) return supplies;
  // Whoever does not answer soon is left for the next.
  const hasty = { ...supplies, retries: 2, stallMs: 10_000, acceptExpired: true };
  const ask = async (url: string) => {
    for (const { suites } of recipe.releases)
      await fetchRelease(url, suites[0]?.codename ?? '', supplies.keyring, hasty);
  };
  const chosen = await chooseMirror(mirror, { ask });
  const { url: main, because } = chosen;
  reporter.say(`Mirror: ${main}, ${because}`);
  return {
    ...supplies,
    mirrors: { main, security: findSecurityMirror(securityMirror, chosen).url },
  };
}

/** What is made, or made again, is tried at the next start, whatever became of it before. Not told where the guest has it already. */
async function tellNextStart({ layout, system, context, reporter }: Call): Promise<void> {
  const { forgetRejection, isNewestGood, readRejection } =
    await import('../../supervisor/start/image-choice.ts');
  const { findStatus } = await import('../../client/found.ts');
  const rejected = readRejection(layout);
  forgetRejection(layout);
  const found = await findStatus(layout, context);
  const hasNoOther = found.daemon === 'gone' || isNewestGood(layout, system);
  if (rejected === undefined && hasNoOther) return;
  reporter.result(nextStartWords(rejected));
}

/** By the proxies and certificates that this machine and this shell name. */
async function webOf({ env, signal }: CliContext): Promise<Web> {
  const proxyFor = proxiesOf(env, await readAptSettings(signal));
  return new Web({ proxyFor, roots: () => trustedRoots(env) });
}

async function suppliesFor({ options, layout, context, reporter }: Call): Promise<SupplyOptions> {
  const web = await webOf(context);
  const mirror = findMirror(options.mirror);
  const security = findSecurityMirror(options.securityMirror, mirror);
  return {
    mirrors: { main: mirror.url, security: security.url },
    acceptExpired: options.acceptExpiredIndex === true,
    ...(options.snapshots === undefined ? {} : { vanished: checkMirror(options.snapshots) }),
    keyring: readKeyring(join(context.assets, 'src/image/keyring')),
    directory: layout.downloads,
    clock: context.clock,
    signal: context.signal,
    web,
    onLongWait: (line) => reporter.say(line),
    onProgress: (progress) => reporter.show(progress),
    onWarning: (line) => reporter.warn(line),
    onWaiting: () => reporter.say(waitingForFetch),
  };
}

/** Puts a new lock in the place of the one that is to be renewed, and says what has changed. */
async function renew(call: Call, supplies: SupplyOptions): Promise<void> {
  const { options, layout, context, lockPaths, reporter } = call;
  const target =
    options.update === 'own' ? lockToRenew(lockPaths, context.assets) : lockPaths.updated;
  // A lock that is missing or broken is what an update is to mend.
  const previous = usable(lockPaths.own) && currentLock(lockPaths, recipe);
  const next = await freshLock(recipe, await findSquashfsTool(supplies), previous, supplies);
  writeLock(target, next);
  for (const line of describeRenewal(previous, next)) reporter.say(line);
  writeNews(layout, next, context.clock.now());
}
