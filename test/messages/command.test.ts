import { startingGuest, waitingForEnd, waitingForOther } from '../../src/command/announce-slow.ts';
import { isDeclaredElsewhere, usingYours } from '../../src/command/context.ts';
import { misled } from '../../src/command/named-file.ts';
import { linesOf } from './command-rig.ts';
import { tells } from './tell.ts';

const owner = { name: 'linuxkit', directory: '/var/lib/linuxkit-builder' };
const declared = { by: 'NixOS', restart: 'sudo systemctl restart linuxkit-builder' };

tells('command', {
  'Something takes a while': {
    'the daemon stops': () => waitingForEnd,
    'another command is at work': () => waitingForOther,
    'the guest starts': () => startingGuest,
  },
  'A file that was named': {
    "is another's link": () => misled('/tmp/report.txt'),
    'is no file': () => linesOf(['doctor', '--report', '-']),
  },
  'The state directory': {
    'its name is too long': () =>
      linesOf(['stop'], { env: { LINUXKIT_BUILDER_DIR: `/${'a'.repeat(100)}` } }),
    'its name has several faults': () =>
      linesOf(['stop'], { env: { LINUXKIT_BUILDER_DIR: `/"${'a'.repeat(100)}` } }),
    'an option names nothing': () => linesOf(['stop', '-d', '']),
    'the environment names nothing': () => linesOf(['stop'], { env: { LINUXKIT_BUILDER_DIR: '' } }),
    'the default has no builder, and the user has one elsewhere': () =>
      usingYours('/home/anna/.cache/nix-linuxkit-builder', '/builder'),
    'the builder is declared elsewhere': () =>
      // One cast: what the words take of it.
      isDeclaredElsewhere({ owner, declared } as unknown as Parameters<
        typeof isDeclaredElsewhere
      >[0]),
  },
});
