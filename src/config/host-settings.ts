/** The settings that say how the builder lives on this machine, in the order of `configure --help` and docs/configuration.md. */
import * as v from 'valibot';
import { idleSchema, startTimes } from './idle.ts';
import { flag, listOf, oneOf, whole, yesOrNo, type Setting } from './setting.ts';

const url = 'must be an http or https URL';

export const hostSettings = {
  /** Whether a Mac on AC power is kept from sleeping while somebody is in the guest. */
  keepAwake: {
    schema: v.optional(yesOrNo),
    flags: [
      flag(
        '--keep-awake',
        'keep this Mac awake while the builder is in use, on AC power (default on macOS)',
        {
          is: 'switch',
        },
      ),
      flag('--no-keep-awake', 'let this Mac sleep while the builder is in use', { is: 'switch' }),
    ],
    acts: 'now',
    isShown: true,
    page: [
      [
        'Whether a Mac on AC power stays awake while a build, a copy or a shell is using the guest.',
        '`true`, `false`',
        '`true` on macOS',
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
        'have launchd or systemd start the daemon: at login (default on macOS) or boot',
        { is: 'switch' },
      ),
      flag('--no-autostart', 'do not start the daemon automatically', { is: 'switch' }),
    ],
    acts: 'later',
    page: [
      [
        'When launchd or systemd [starts the daemon](launchd.md): at login, at boot, or never, in which case you run `linuxkit-builder start` yourself. `--system` without a name is short for `--autostart boot`.',
        '`login` (or `true`), `boot`, `false`',
        '`login` on macOS, `false` elsewhere',
      ],
    ],
  },
  /** What becomes of a guest that nobody uses, and after how long. */
  idle: {
    schema: v.optional(idleSchema),
    flags: [
      flag(
        '--idle <how>',
        'what to do with an unused guest: auto (suspend or stop), stop, or never (keep it running)',
        {
          part: 'how',
        },
      ),
      flag(
        '--idle-after <time>',
        'how long the guest must be unused for that, for example 10 min',
        {
          part: 'after',
        },
      ),
    ],
    acts: 'now',
    isShown: true,
    page: [
      [
        'What happens to an [unused guest](on-demand.md): it is suspended if the VM program can do that and otherwise stopped (`auto`), always stopped (`stop`), or left running (`never`).',
        '`auto`, `stop`, `never`',
        '`auto` on macOS and on laptops, `never` elsewhere',
      ],
      [
        'How long the guest must be unused before it is suspended or stopped.',
        'a duration from `10 s` to `168 h`',
        '`10 min`',
      ],
    ],
  },
  /** Whether the guest starts with the daemon, or with the first build. */
  start: {
    schema: v.optional(v.picklist(startTimes, oneOf(startTimes))),
    flags: [
      flag('--start <when>', 'when to start the guest: login, or demand (at the first build)'),
    ],
    acts: 'later',
    isShown: true,
    page: [
      [
        'When the guest starts: together with the daemon (`login`), or with the first build (`demand`).',
        '`login`, `demand`',
        '`demand` on macOS and on laptops, `login` elsewhere',
      ],
    ],
  },
  /** How long the front door holds a connection for a guest that is not ready yet, in seconds. */
  holdSeconds: {
    schema: v.optional(whole(10, 3600), 180),
    acts: 'now',
    isShown: true,
    page: [
      [
        'How long a connection waits for the guest before it is closed.',
        'seconds, 10 to 3600',
        '180',
      ],
    ],
  },
  /** TCP ports of this machine's 127.0.0.1 that builds may reach, such as a proxy's or a cache's; no others. */
  hostPorts: {
    schema: v.optional(
      v.pipe(listOf(whole(1, 65535)), v.maxLength(32, 'must have at most 32 ports')),
      [],
    ),
    acts: 'guest',
    page: [
      [
        "TCP ports on the host's 127.0.0.1 that fixed-output builds (those that state the hash of their result beforehand, as downloads do) can reach. (Other builds have no network.)",
        'a list of at most 32 ports',
        'none',
      ],
    ],
  },
  /** Whether builds reach private networks, such as the one this machine is in. */
  buildsReachLan: {
    schema: v.optional(yesOrNo, true),
    acts: 'guest',
    page: [
      [
        'Whether fixed-output builds can reach private networks, such as the one that the host is on.',
        '`true`, `false`',
        '`true`',
      ],
    ],
  },
  /** The version of the one image that is started although it is below its floors. */
  acceptOldImage: {
    schema: v.optional(v.string('must be the version of an image'), ''),
    acts: 'guest',
    page: [
      [
        'One image that is allowed to start although it is below the [lowest acceptable versions](image.md#lowest-acceptable-versions).',
        'the version of an image',
        'none',
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
        'What the daemon does about [newer packages](image.md#updating): nothing (`off`), check once a day and report them (`notify`), or also make an image from them (`auto`).',
        '`off`, `notify`, `auto`',
        '`notify`',
      ],
    ],
  },
  /** Where files of the image are that the mirrors have no longer; as `image build --snapshots` takes it. */
  snapshots: {
    schema: v.optional(v.pipe(v.string(url), v.regex(/^(https?:\/\/\S+)?$/, url)), ''),
    acts: 'later',
    page: [
      [
        'Where to fetch [packages that the mirrors no longer have](image.md#packages-that-a-mirror-no-longer-has).',
        'an http or https URL',
        'none',
      ],
    ],
  },
  /** Whether a desktop is told when the daemon gives up. */
  notifications: {
    schema: v.optional(yesOrNo, true),
    acts: 'now',
    page: [
      [
        'Whether you get one desktop notification when the daemon gives up. On Linux this needs `notify-send`. A daemon that starts at boot, or that nix-darwin or NixOS declares, has no desktop session, so it shows none.',
        '`true`, `false`',
        '`true`',
      ],
    ],
  },
  verbose: {
    schema: v.optional(yesOrNo, false),
    acts: 'now',
    page: [["Whether the daemon's log has debug lines.", '`true`, `false`', '`false`']],
  },
} as const satisfies Readonly<Record<string, Setting>>;
