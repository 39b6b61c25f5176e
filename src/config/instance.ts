/**
 * Who a builder is on its host: everything in which two builders of one host must differ, made once from its name. Whatever names a
 * path, a label, a mark or a host takes it from here.
 */
interface Instance {
  /** `default` for the only one. */
  readonly name: string;
  /** The state directory's own name, in the user's cache. */
  readonly stateDirectory: string;
  /** What Nix's line, ssh and people call the guest, and under which its key is known. */
  readonly sshAlias: string;
  /** TCP port of the front door on 127.0.0.1; a setting says otherwise. */
  readonly port: number;
  /** launchd's name for the job. */
  readonly jobLabel: string;
  /** systemd's. */
  readonly unitName: string;
  /** The launcher that launchd runs, below the user's Library; its own name is what a person reads in the list of Login Items. */
  readonly launcher: string;
  /** What the launcher says, below the user's Library. */
  readonly launcherLog: string;
  /** The lines around ours in a file of others. No semicolon: older Nix would take what follows it for a builder. */
  readonly marks: { readonly begin: string; readonly end: string };
  /** Root's files, below Nix's own configuration directory. */
  readonly rootDirectory: string;
  /** A derivation that requires it is built here and nowhere else. */
  readonly feature: string;
  /** The guest's own name. */
  readonly hostName: string;
}

/** Each with a name of its own has a port of its own, so far from the first. */
interface Named {
  readonly name: string;
  readonly nth: number;
}

/** The builder of that name. Pure. */
export function instanceOf(named?: Named): Instance {
  const dash = named === undefined ? '' : `-${named.name}`;
  const dot = named === undefined ? '' : `.${named.name}`;
  const own = `linuxkit-builder${dash}`;
  const words = '(written by its configure, which replaces changes in here)';
  return {
    name: named?.name ?? 'default',
    stateDirectory: `nix-linuxkit-builder${dash}`,
    sshAlias: `nix-linuxkit${dash}`,
    port: 24083 + (named?.nth ?? 0),
    jobLabel: `org.nix-community.linuxkit-builder${dot}`,
    unitName: `${own}.service`,
    launcher: `Application Support/${own}/${own}`,
    launcherLog: `Logs/${own}.log`,
    marks: { begin: `# >>> ${own} ${words}`, end: `# <<< ${own}` },
    rootDirectory: own,
    feature: own,
    hostName: own,
  };
}

/** The one that this program serves. */
export const instance = instanceOf();
