/** The system's own keeper of our daemon, launchd or systemd: the few things that are asked of either. */
export interface Service {
  readonly name: 'launchd' | 'systemd';
  state(): Promise<ServiceState>;
  /** True when its files are others than those that it was last told. */
  isChanged(): boolean;
  /** Has it run now: loads it, and loads it anew when its files have changed since. Fails with a sentence and a remedy. */
  start(): Promise<void>;
  /** Ends it, and it stays ended until the next start or login. False when it was not loaded. */
  stop(): Promise<boolean>;
  /** Ends it and has it forgotten. */
  remove(): Promise<void>;
}

export interface ServiceState {
  readonly loaded: boolean;
  readonly running: boolean;
  readonly pid?: number;
  /** How its last run ended, in words, unless in order. */
  readonly ended?: string;
  /** Its exit code, where it had one. */
  readonly exitCode?: number;
}
