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

/** `name` and `data`: of an event as it came. */
export function eventOf(name: string, data: Readonly<Record<string, unknown>>): QmpEvent {
  const text = (field: string) => quoted(data[field]) ?? '';
  switch (name) {
    case 'SHUTDOWN':
      return { type: 'shutdown', byGuest: data['guest'] === true, reason: text('reason') };
    case 'RESET':
      return { type: 'reset', byGuest: data['guest'] === true, reason: text('reason') };
    case 'STOP':
      return { type: 'stop' };
    case 'RESUME':
      return { type: 'resume' };
    case 'SUSPEND':
      return { type: 'suspend' };
    case 'WAKEUP':
      return { type: 'wakeup' };
    case 'BLOCK_IO_ERROR':
      return {
        type: 'block-io-error',
        operation: text('operation'),
        stopped: data['action'] === 'stop',
        noSpace: data['nospace'] === true,
        reason: text('reason'),
      };
    case 'GUEST_PANICKED':
      return { type: 'guest-panicked', action: text('action') };
    default:
      return { type: 'other', name, data };
  }
}
