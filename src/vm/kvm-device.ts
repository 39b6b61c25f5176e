/** KVM's device, looked at: it is not there, not for this user, or held; each has a sentence and a remedy of its own. */
import { closeSync, openSync } from 'node:fs';
import { errorCode } from '../system/failure.ts';

/** Why a way does not work, and what mends that where it is known. */
export interface Obstacle {
  readonly why: string;
  readonly remedy?: string;
  /** It ends with another program: nothing to remember. */
  readonly isPassing?: boolean;
}

export const kvmDevice = '/dev/kvm';

const missing =
  'Load its module: sudo modprobe kvm_intel, or kvm_amd. Where that is refused, switch virtualisation on in the firmware (VT-x, AMD-V), or nested virtualisation at the host, if this machine is itself a VM.';

/** KVM_CREATE_VM says so too: VirtualBox and VMware keep the processor's virtualisation for themselves while a VM of theirs runs. */
export const kvmBusy: Obstacle = {
  isPassing: true,
  why: 'KVM is busy: another hypervisor holds the processor for itself',
  remedy:
    'End the virtual machines of VirtualBox, VMware or another hypervisor; who has the device open says: sudo lsof /dev/kvm.',
};

/** What keeps this user from KVM; undefined when the device can be opened, which does not prove that it works. */
export function kvmObstacle(device = kvmDevice): Obstacle | undefined {
  try {
    closeSync(openSync(device, 'r+'));
    return undefined;
  } catch (error) {
    return obstacleOf(errorCode(error) ?? String(error), device);
  }
}

/** `code`: of open(2). */
function obstacleOf(code: string, device: string): Obstacle {
  switch (code) {
    case 'ENOENT':
      return { why: `there is no ${device}`, remedy: missing };
    case 'ENODEV':
    case 'ENXIO':
      return { why: `there is no driver behind ${device}`, remedy: missing };
    case 'EACCES':
      return {
        why: `this user may not open ${device}`,
        remedy: `Let the user in: sudo usermod -aG kvm USER (the group that ${device} belongs to), then log in again.`,
      };
    case 'EPERM':
      return {
        why: `this container, or a policy of the system, does not allow ${device}`,
        remedy: `Give it to the container: --device ${device}; or let the daemon run outside.`,
      };
    case 'EBUSY':
      return kvmBusy;
    default:
      return { why: `${device} cannot be opened (${code})` };
  }
}
