/** A job of our label that somebody else declared: a configuration of nix-darwin, NixOS or home-manager, or a person. It is never rewritten. */
import { plistOf, stringIn } from '../system/plist.ts';
import { label } from './launchd/launch-agent.ts';
import { unitName, unitVariable } from './systemd/systemd-unit.ts';

/** The two keepers that are known. */
export type ServiceKind = 'launchd' | 'systemd';

/** Whether the system starts it at boot, or a user's session at the login. */
type JobScope = 'system' | 'user';

/** Where it stands, and whose it is. */
export interface DeclaredJob {
  readonly kind: ServiceKind;
  readonly scope: JobScope;
  readonly path: string;
  /** In a sentence: `nix-darwin`. */
  readonly by: string;
  /** The state directory of its daemon; undefined where the file does not say. */
  readonly directory: string | undefined;
}

/**
 * What the text of such a file says; undefined where it is no job of ours (linuxkit-nix has one of that name). The modules of the flake put
 * both names into its environment.
 */
export function declaredIn(
  text: string,
  { kind, scope, path }: Pick<DeclaredJob, 'kind' | 'scope' | 'path'>,
): DeclaredJob | undefined {
  if (!/LINUXKIT_BUILDER_DIR|\bdaemon"? "?--managed/.test(text)) return undefined;
  const valueOf = (name: string) =>
    kind === 'launchd'
      ? stringIn(plistOf(text), 'EnvironmentVariables', name)
      : unitVariable(text, name);
  const stored = text.includes('/nix/store/') ? 'a Nix configuration' : 'someone else';
  const by = valueOf('LINUXKIT_BUILDER_DECLARED_BY') ?? stored;
  return { kind, scope, path, by, directory: valueOf('LINUXKIT_BUILDER_DIR') };
}

/** The command with which a person has it run anew. */
export function restartCommand(
  { kind, scope }: Pick<DeclaredJob, 'kind' | 'scope'>,
  uid: number,
): string {
  if (kind === 'launchd')
    return scope === 'system'
      ? `sudo launchctl kickstart -k system/${label}`
      : `launchctl kickstart -k gui/${uid}/${label}`;
  const name = unitName.replace(/\.service$/, '');
  return scope === 'system' ? `sudo systemctl restart ${name}` : `systemctl --user restart ${name}`;
}
