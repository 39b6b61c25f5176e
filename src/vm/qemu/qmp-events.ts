/** What QEMU says by itself, as far as it means something to us. Pure. */
import { quoted } from '../../system/plain-text.ts';

/** What QEMU says by itself. */
export type QmpEvent =
  /** The VM ends. reason is QEMU's word: `guest-shutdown`, `guest-panic`, `host-qmp-quit`, `host-signal`... */
  | { readonly type: 'shutdown'; readonly byGuest: boolean; readonly reason: string }
  | { readonly type: 'reset'; readonly byGuest: boolean; readonly reason: string }
  /** The VM is paused, by whatever. */
  | { readonly type: 'stop' }
  | { readonly type: 'resume' }
  /** The guest has put itself to sleep, or was woken. */
  | { readonly type: 'suspend' }
  | { readonly type: 'wakeup' }
  /** The host could not read or write the disk. `stopped`: QEMU paused the VM for it. */
  | {
      readonly type: 'block-io-error';
      readonly operation: string;
      readonly stopped: boolean;
      readonly noSpace: boolean;
      readonly reason: string;
    }
  | { readonly type: 'guest-panicked'; readonly action: string }
  | {
      readonly type: 'other';
      readonly name: string;
      readonly data: Readonly<Record<string, unknown>>;
    };

type Data = Readonly<Record<string, unknown>>;

/** `name` and `data`: of an event as it came. */
export const eventOf = (name: string, data: Data): QmpEvent =>
  events.get(name)?.(data) ?? { type: 'other', name, data };

/** By QEMU's names for them. */
const events: ReadonlyMap<string, (data: Data) => QmpEvent> = new Map(
  Object.entries({
    SHUTDOWN: (data) => ({ type: 'shutdown', ...byWhom(data) }),
    RESET: (data) => ({ type: 'reset', ...byWhom(data) }),
    STOP: () => ({ type: 'stop' }),
    RESUME: () => ({ type: 'resume' }),
    SUSPEND: () => ({ type: 'suspend' }),
    WAKEUP: () => ({ type: 'wakeup' }),
    BLOCK_IO_ERROR: (data) => ({
      type: 'block-io-error',
      operation: text(data['operation']),
      stopped: data['action'] === 'stop',
      noSpace: data['nospace'] === true,
      reason: text(data['reason']),
    }),
    GUEST_PANICKED: (data) => ({ type: 'guest-panicked', action: text(data['action']) }),
  } satisfies Record<string, (data: Data) => QmpEvent>),
);

const text = (value: unknown): string => quoted(value) ?? '';

const byWhom = ({ guest, reason }: Data) => ({ byGuest: guest === true, reason: text(reason) });
