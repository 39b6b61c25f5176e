/** The system's own keeper of our daemon, launchd or systemd: the few things that are asked of either. */
import { existsSync } from 'node:fs';
import type { DeclaredJob, ServiceKind } from './declared-job.ts';

/** One keeper with our job. Each call may run a program of the system. */
export interface Service {
  readonly name: ServiceKind;
  /** This system does not run it, so nothing starts the daemon. */
  readonly isAbsent?: boolean;
  /** When it starts the daemon by itself; that at boot is root's to start and to end. */
  readonly starts: 'login' | 'boot';
  /** Whose job it is where it is not ours: then it is started and stopped, and neither loaded nor removed. */
  readonly declared?: DeclaredJob;
  state(): Promise<ServiceState>;
  /** True when its files are others than those that it was last told. */
  isChanged(): boolean;
  /** Has it run now: loads it, and loads it anew when its files have changed since. Fails with a sentence and a remedy. */
  start(): Promise<void>;
  /** Ends it, and it stays ended until the next start or login. False when it was not loaded. */
  stop(): Promise<boolean>;
  /** Whether it ends the daemon when its user logs out; absent, or false, where that is not known. */
  endsAtLogout?(): Promise<boolean>;
  /** Ends it and has it forgotten. */
  remove(): Promise<void>;
}

/** As the keeper tells it now. */
export interface ServiceState {
  readonly loaded: boolean;
  readonly running: boolean;
  readonly pid?: number;
  /** How its last run ended, in words, unless in order. */
  readonly ended?: string;
  /** Its exit code, where it had one. */
  readonly exitCode?: number;
}

/** Which one it is on this kind of system; packagers and tests may say otherwise. */
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
