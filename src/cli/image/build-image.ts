/** `image build`: puts mirror, lock, recipe and progress together. Loaded when it is called. */
import { join, resolve } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { buildImage } from '../../image/build.ts';
import { currentLock, lockToRenew, usable, type LockPaths } from '../../image/current-lock.ts';
import { writeLock, type Lock } from '../../image/image-lock.ts';
import { ageOf, describeAge } from '../../vm/image-age.ts';
import { newsIn, writeNews } from '../../image/image-news.ts';
import { chooseMirror } from '../../image/mirror/choose-mirror.ts';
import { areCached } from '../../image/http/download.ts';
import { checkMirror, findMirror } from '../../image/mirror/mirror.ts';
import { findSecurityMirror } from '../../image/mirror/security-mirror.ts';
import { fetchRelease } from '../../image/debian/release.ts';
import { recipe, type Arch } from '../../image/recipe.ts';
import { readKeyring } from '../../image/debian/signature.ts';
import { proxiesOf } from '../../image/http/proxy.ts';
import { readAptSettings } from '../../image/mirror/apt-settings.ts';
import { trustedRoots } from '../../image/http/roots.ts';
import { Web } from '../../image/http/web.ts';
import { findSquashfsTool } from '../../image/tree/squashfs.ts';
import type { SupplyOptions } from '../../image/supply.ts';
import { describeRenewal, freshLock } from '../../image/update.ts';
import { claimDirectory } from '../../host/state-directory.ts';
import { makeDirectory } from '../../system/files/files.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import type { CliContext, DirectoryOption } from '../../command/context.ts';
import { describeBuilt, nextStartWords, waitingForFetch } from './image-words.ts';
import { waitingForOther } from '../../command/announce-slow.ts';
import { noView, progressView, type ProgressView } from '../../command/progress.ts';

export interface BuildVerbOptions extends DirectoryOption {
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

/** Makes the image at the given or the usual prefix and says where it is. */
export async function buildVerb(
  options: BuildVerbOptions,
  layout: Layout,
  usualPrefix: string,
  context: CliContext,
): Promise<void> {
  const { assets, clock, signal } = context;
  const view = options.quiet === true ? noView : await progressView(context);
  const say = (line: string) => {
    view.end();
    if (options.quiet !== true) context.err(line);
  };
  try {
    const onWaiting = () => say(waitingForOther);
    const web = await webOf(context);
    const guess = suppliesFor({ options, layout, context, web, view, say });
    // Before anything of ours: by it unconfigure knows that there is something.
    claimDirectory(layout);
    makeDirectory(layout.state);
    const places = { own: join(assets, 'src/image/lock.json'), updated: layout.imageLock };
    if (options.check === true) {
      const { checkForNews } = await import('./check-updates.ts');
      const found = await checkForNews(layout, places, { ...guess, arch: options.arch });
      view.end();
      if (options.quiet !== true) context.out(found);
      return;
    }
    const supplies = await withMirror(guess, places, options, say);
    if (options.update !== false) {
      const target = options.update === 'own' ? lockToRenew(places, assets) : places.updated;
      const next = await renew(target, places, supplies, say);
      writeNews(layout, next, clock.now());
    }
    const prefix = options.output === undefined ? usualPrefix : resolve(options.output);
    const built = await buildImage({
      ...supplies,
      arch: options.arch,
      lock: currentLock(places, recipe),
      recipe,
      rootfs: join(assets, 'src/image/rootfs'),
      prefix,
      onStep: (step) => say(`${step}.`),
      alone: (work) =>
        withOperationLock(layout.startLock, { clock, signal, onWaiting }, () =>
          Promise.resolve(work()),
        ),
    });
    view.end();
    if (options.quiet !== true) context.out(describeBuilt(prefix, built));
    const age = describeAge(ageOf(built.manifest, newsIn(layout), clock.now()));
    if (age !== undefined) context.err(`Warning: ${age}`);
    if (options.output === undefined) await tellNextStart(layout, options, context);
  } finally {
    view.end();
  }
}

/** From a mirror that serves; nobody is asked where everything is here already. */
async function withMirror(
  supplies: SupplyOptions,
  places: LockPaths,
  { mirror, securityMirror, update, arch }: BuildVerbOptions,
  say: (line: string) => void,
): Promise<SupplyOptions> {
  const locked =
    update === false ? currentLock(places, recipe).architectures[arch].packages : undefined;
  if (locked !== undefined && areCached(locked, supplies.directory)) return supplies;
  // Whoever does not answer soon is left for the next.
  const hasty = { ...supplies, retries: 2, stallMs: 10_000, acceptExpired: true };
  const ask = async (url: string) => {
    for (const { suites } of recipe.releases)
      await fetchRelease(url, suites[0]?.codename ?? '', supplies.keyring, hasty);
  };
  const chosen = await chooseMirror(mirror, { ask });
  const { url: main, because } = chosen;
  say(`Mirror: ${main}, ${because}`);
  return {
    ...supplies,
    mirrors: { main, security: findSecurityMirror(securityMirror, chosen).url },
  };
}

/** What is made, or made again, is tried at the next start, whatever became of it before. */
async function tellNextStart(
  layout: Layout,
  { quiet }: BuildVerbOptions,
  context: CliContext,
): Promise<void> {
  const { forgetRejection, readRejection } = await import('../../supervisor/start/image-choice.ts');
  const { findStatus } = await import('../../client/found.ts');
  const rejected = readRejection(layout);
  forgetRejection(layout);
  const found = await findStatus(layout, context);
  if (quiet || (rejected === undefined && found.daemon === 'gone')) return;
  context.out(nextStartWords(rejected));
}

/** By the proxies and certificates that this machine and this shell name. */
async function webOf({ env, signal }: CliContext): Promise<Web> {
  const proxyFor = proxiesOf(env, await readAptSettings(signal));
  return new Web({ proxyFor, roots: () => trustedRoots(env) });
}

function suppliesFor(from: {
  readonly options: BuildVerbOptions;
  readonly layout: Layout;
  readonly context: CliContext;
  readonly web: Web;
  readonly view: ProgressView;
  readonly say: (line: string) => void;
}): SupplyOptions {
  const { options, layout, context, web, view, say } = from;
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
    onPatience: say,
    onProgress: (progress) => view.show(progress),
    onWarning: (line) => {
      view.end();
      context.err(`Warning: ${line}`);
    },
    onWaiting: () => say(waitingForFetch),
  };
}

async function renew(
  target: string,
  places: LockPaths,
  supplies: SupplyOptions,
  say: (line: string) => void,
): Promise<Lock> {
  // A lock that is missing or broken is what an update is to mend.
  const previous = usable(places.own) && currentLock(places, recipe);
  const next = await freshLock(recipe, await findSquashfsTool(supplies), previous, supplies);
  writeLock(target, next);
  for (const line of describeRenewal(previous, next)) say(line);
  return next;
}
