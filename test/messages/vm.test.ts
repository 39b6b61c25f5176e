import { tells } from './tell.ts';
import { accelerators, choice, kvm, ranking, trials } from './vm-choice.ts';
import { hyperkitEnds, qemuEnds, standStill, vfkitEnds } from './vm-ends.ts';
import { ages, floors, hyperkitInput, images, vfkitInput } from './vm-image.ts';
import { hyperkitTalk, qemuTalk, vfkitTalk } from './vm-talk.ts';

tells('vm', {
  'QEMU ends': qemuEnds,
  'HyperKit ends': hyperkitEnds,
  'vfkit ends': vfkitEnds,
  'QEMU’s guest stands still, by state': standStill,
  'QEMU and the daemon': qemuTalk,
  'HyperKit and the daemon': hyperkitTalk,
  'vfkit and the daemon': vfkitTalk,
  'HyperKit cannot be started': hyperkitInput,
  'vfkit cannot be started': vfkitInput,
  'An image is faulty': images,
  'An image is old': ages,
  'An image is below a floor': floors,
  'The ranking of the VM programs': ranking,
  'The VM program': choice,
  'The accelerator': accelerators,
  'KVM’s device': kvm,
  'A trial of an accelerator': trials,
});
