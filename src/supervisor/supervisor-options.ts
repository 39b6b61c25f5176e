/** What the daemon gives its supervisor. */
import type { Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import type { DoorControlOptions } from './daemon/door-control.ts';
import type { Policy } from './lifecycle/backoff.ts';
import type { StagingOptions } from './start/staging.ts';
import type { StatusInput } from './status/status-of.ts';
import type { Status } from './status/status-schema.ts';

/** Everything that comes from outside, so that a test can have its own. */
export interface SupervisorOptions
  extends
    StagingOptions,
    DoorControlOptions,
    Pick<StatusInput, 'daemon' | 'release' | 'directory'> {
  readonly log: Log;
  readonly policy: Policy;
  /** Asked before each start: fails where others could put what they like in the place of what it boots. */
  readonly closeDirectories?: () => Promise<void>;
  /** As {@link StatusRecord} tells it. */
  readonly onStatus?: (status: Status, trouble: Failure | undefined) => void;
}
