/** What the Nix of a guest that is ready means: for its image, and for the disk that it has. */
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import { letsBuildsOut } from '../../vm/floors.ts';
import { exposureOf, recordGuest } from '../disk/disk-record.ts';
import type { Facts } from '../status/status-schema.ts';

/** Facts to be noted. A bundle of somebody's own is judged here for the first time: one of ours would not have been started. */
export function judgeNix(
  nix: string | undefined,
  image: Facts['image'],
  { layout, clock, log }: { readonly layout: Layout; readonly clock: Clock; readonly log: Log },
): Facts {
  const at = new Date(clock.now()).toISOString();
  const letsOut = nix !== undefined && letsBuildsOut(nix);
  if (letsOut) log('warn', 'nix-lets-builds-out', { nix });
  if (recordGuest(layout, { nix, letsOut, at })) log('warn', 'disk-exposed', { nix });
  const old = { why: `its Nix ${nix} lets builds become root in the guest (CVE-2026-39860)` };
  const diskExposed = exposureOf(layout);
  return {
    ...(nix === undefined ? {} : { nixVersion: nix }),
    ...(diskExposed === undefined ? {} : { diskExposed }),
    ...(letsOut && image !== undefined && image.old === undefined
      ? { image: { ...image, old } }
      : {}),
  };
}
