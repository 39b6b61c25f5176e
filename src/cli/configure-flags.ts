/** What `configure` was asked for. */
import type { Asked } from '../host/settings.ts';

export interface ConfigureFlags {
  /** The state directory. */
  readonly root: string;
  readonly asked: Asked;
  /** Go on from a state directory of linuxkit-nix. */
  readonly takeOver: boolean;
  readonly dryRun: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly skipRoot: boolean;
}
