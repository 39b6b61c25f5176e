/** Which keeper starts a daemon by itself on this kind of system, and whether that runs here. */
import { existsSync } from 'node:fs';
import type { ServiceKind } from './declared-job.ts';

/** Packagers and tests may say otherwise. */
export function serviceKind(env: NodeJS.ProcessEnv): ServiceKind {
  const said = env['LINUXKIT_BUILDER_SERVICE'];
  if (said === 'launchd' || said === 'systemd') return said;
  return process.platform === 'darwin' ? 'launchd' : 'systemd';
}

/** Of systemd as sd_booted(3) tells it; where somebody names the keeper, it is there. */
export const hasKeeper = (env: NodeJS.ProcessEnv): boolean =>
  serviceKind(env) === 'launchd' ||
  env['LINUXKIT_BUILDER_SERVICE'] === 'systemd' ||
  existsSync('/run/systemd/system');
