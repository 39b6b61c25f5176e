/** The settings that say how the builder lives on this machine, in the order of `configure --help` and docs/configuration.md. */
import * as v from 'valibot';
import { idleSchema, startTimes } from './idle.ts';
import { flag, whole, yesOrNo, type Setting } from './setting.ts';

export const hostSettings = {
  /** Whether a Mac on AC power is kept from sleeping while somebody is in the guest. */
  keepAwake: {
    schema: v.optional(yesOrNo),
    flags: [
      flag('--keep-awake', 'while it is used, keep this Mac awake on AC power (default on macOS)', {
        is: 'switch',
      }),
      flag('--no-keep-awake', 'let it fall asleep', { is: 'switch' }),
    ],
    acts: 'now',
    isShown: true,
    page: [
      [
        '`true`, `false`',
        '`true` on macOS: on AC power this machine does not sleep while somebody is in the guest',
      ],
    ],
  },
  /** Whether launchd or systemd starts the daemon: at login (`true` says so too); or at boot, without a login. */
  autostart: {
    schema: v.optional(
      v.union([v.boolean(), v.picklist(['login', 'boot'])], 'must be true, false, login or boot'),
    ),
    flags: [
      flag(
        '--autostart [when]',
        'start the daemon by launchd or systemd: at login (default on macOS), or at boot',
        { is: 'switch' },
      ),
      flag('--no-autostart', 'leave starting it to you', { is: 'switch' }),
    ],
    acts: 'later',
    page: [
      [
        '`login` (or `true`), `boot`, `false`',
        '`login` on macOS: whether launchd or systemd starts the daemon, and when; `--system` alone says `boot`; see launchd.md',
      ],
    ],
  },
  /** What becomes of a guest that nobody uses, and after how long. */
  idle: {
    schema: v.optional(idleSchema),
    flags: [
      flag('--idle <how>', 'when nobody uses the guest: auto, stop or never (leave it running)', {
        part: 'how',
      }),
      flag('--idle-after <time>', 'how long nobody has used it then, such as 10 min', {
        part: 'after',
      }),
    ],
    acts: 'now',
    isShown: true,
    page: [
      [
        '`auto`, `stop`, `never`',
        '`auto` on macOS and on a laptop, `never` elsewhere: what becomes of a guest that nobody uses; see [On demand](#on-demand)',
      ],
      ['a time from `10 s` to `168 h`', '`10 min`: how long nobody has used it then'],
    ],
  },
  /** Whether the guest starts with the daemon, or with the first build. */
  start: {
    schema: v.optional(v.picklist(startTimes, `must be ${startTimes.join(' or ')}`)),
    flags: [flag('--start <when>', 'start the guest at login, or on demand: with the first build')],
    acts: 'later',
    isShown: true,
    page: [
      [
        '`login`, `demand`',
        '`demand` on macOS and on a laptop, `login` elsewhere: whether the guest starts with the daemon or with the first build',
      ],
    ],
  },
  /** How long the front door holds a connection for a guest that is not ready yet, in seconds. */
  holdSeconds: {
    schema: v.optional(whole('seconds', 10, 3600), 180),
    acts: 'now',
    isShown: true,
    page: [['10 to 3600', '180: how long a connection waits for the guest']],
  },
  /** TCP ports of this machine's 127.0.0.1 that builds may reach, such as a proxy's or a cache's; no others. */
  hostPorts: {
    schema: v.optional(
      v.pipe(v.array(whole('a port', 1, 65535)), v.maxLength(32, 'must be at most 32 ports')),
      [],
    ),
    acts: 'guest',
    page: [
      [
        'a list of ports, at most 32',
        "none: TCP ports of this machine's 127.0.0.1 that builds may reach",
      ],
    ],
  },
  /** Whether builds reach private networks, such as the one this machine is in. */
  buildsReachLan: {
    schema: v.optional(yesOrNo, true),
    acts: 'guest',
    page: [
      [
        '`true`, `false`',
        '`true`: whether builds reach private networks, such as the one this machine is in',
      ],
    ],
  },
  /** The version of the one image that is started although it is below its floors. */
  acceptOldImage: {
    schema: v.optional(v.string('must be the version of an image'), ''),
    acts: 'guest',
    page: [
      [
        'the version of an image',
        'none: an image below the lowest acceptable versions is not started; see image.md',
      ],
    ],
  },
  /** Whether the daemon looks for newer packages once a day, and whether it makes an image of them. */
  imageUpdates: {
    schema: v.optional(
      v.picklist(['off', 'notify', 'auto'], 'must be off, notify or auto'),
      'notify',
    ),
    acts: 'now',
    page: [
      [
        '`off`, `notify`, `auto`',
        '`notify`: the daemon looks for newer packages once a day; see image.md',
      ],
    ],
  },
  /** Where files of the image are that the mirrors have no longer; as `image build --snapshots` takes it. */
  snapshots: {
    schema: v.optional(
      v.pipe(v.string(), v.regex(/^(https?:\/\/\S+)?$/, 'must be an http or https address')),
      '',
    ),
    acts: 'later',
    page: [
      [
        'an http or https address',
        'none: where files of the image are that the mirrors have no longer; see image.md',
      ],
    ],
  },
  /** Whether a desktop is told when the daemon gives up. */
  notifications: {
    schema: v.optional(yesOrNo, true),
    acts: 'now',
    page: [
      [
        '`true`, `false`',
        '`true`: a desktop (of macOS, or of Linux where `notify-send` is) is told once when the daemon gives up',
      ],
    ],
  },
  verbose: {
    schema: v.optional(yesOrNo, false),
    acts: 'now',
    page: [['`true`, `false`', "`false`: debug lines in the daemon's log"]],
  },
} as const satisfies Readonly<Record<string, Setting>>;
