/** KVM's device, looked at: it is not there, not for this user, or held; each has a sentence and a remedy of its own. */
import { refusal } from '../system/files/reasons.ts';
import { closeSync, openSync } from 'node:fs';
import { errorCode } from '../system/failure.ts';
import { advice, ours, type Text } from '../system/advice.ts';
import { statsIfThere } from '../system/stats.ts';

/** Why a way does not work, and what mends that where it is known. */
export interface Obstacle {
  readonly why: string;
  readonly remedy?: Text;
  /** It ends with another program: nothing to remember. */
  readonly isPassing?: boolean;
}

const kvmDevice = '/dev/kvm';

const missing =
  'Load the kernel module: sudo modprobe kvm_intel, or kvm_amd. If that fails, enable virtualisation in the firmware (VT-x, AMD-V); if this machine is itself a VM, enable nested virtualisation on its host.';

/** KVM_CREATE_VM says so too: VirtualBox and VMware keep the processor's virtualisation for themselves while a VM of theirs runs. */
export const kvmBusy: Obstacle = {
  isPassing: true,
  why: 'KVM is busy: another hypervisor is using the CPU',
  remedy:
    'Stop the virtual machines of VirtualBox, VMware or another hypervisor. To see what has the device open, run sudo lsof /dev/kvm.',
};

/** What keeps this user from KVM; undefined when the device can be opened, which does not prove that it works. */
export function kvmObstacle(device = kvmDevice): Obstacle | undefined {
  try {
    closeSync(openSync(device, 'r+'));
    return undefined;
  } catch (error) {
    const code = errorCode(error) ?? String(error);
    return obstacleOf(code === 'EACCES' && letsUsIn(device) ? 'EPERM' : code, device);
  }
}

/** Its mode lets this user read and write it: then SELinux, say, or a container's list of devices is what does not. */
function letsUsIn(device: string): boolean {
  const found = statsIfThere(device);
  if (found === undefined) return false;
  const { uid, gid, mode } = found;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  const bits = uid === process.geteuid?.() ? mode >> 6 : groups.includes(gid) ? mode >> 3 : mode;
  return (bits & 0o6) === 0o6;
}

/** `code`: of open(2). */
export function obstacleOf(code: string, device: string): Obstacle {
  switch (code) {
    case 'ENOENT':
      return { why: `${device} does not exist`, remedy: missing };
    case 'ENODEV':
    case 'ENXIO':
      return { why: `${device} has no driver`, remedy: missing };
    case 'EACCES':
      return {
        why: `this user is not allowed to open ${device}`,
        remedy: advice`Add the user to the group that owns ${device}: sudo usermod -aG kvm USER. Then log in again, and run ${ours('stop')} and ${ours('start')}.`,
      };
    case 'EPERM':
      return {
        why: `this container or a security policy does not allow ${device}`,
        remedy: `Start the container with --device ${device}, or run the daemon outside of it.`,
      };
    case 'EBUSY':
      return kvmBusy;
    default:
      return { why: `cannot open ${device} (${refusal(code)})` };
  }
}
