/** config.json: what a builder is, chosen once on the host. Parsed whole: a frozen Config, or every Problem. */
import * as v from 'valibot';
import { idleDefaults, idleOf, idleSchema, startTimes, type Idle, type StartTime } from './idle.ts';
import { hostProblems, leastDiskGiB, noDiskFits, type HostFacts } from './host-limits.ts';
import type { Problem } from './problem.ts';
import { extraSystemNames, nativeSystem, systemNames, type System } from './system.ts';
import { hasOwnNetwork, networkNames, vmNames, type NetworkName } from './vm-programs.ts';

export type { HostFacts } from './host-limits.ts';

const whole = (name: string, low: number, high: number) =>
  v.pipe(
    v.number(`must be a number`),
    v.integer(`must be a whole number of ${name}`),
    v.minValue(low, `must be at least ${low}`),
    v.maxValue(high, `must be at most ${high}`),
  );

/** A feature is one word: a comma or a space would become another field of the machines line. */
const feature = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be one word of letters, digits, . _ -'),
);

/** The guest's own files and a little of a build. */

const schema = v.strictObject({
  /** Which program runs the guest; `auto`: the best that this machine has, as each start finds. */
  vm: v.optional(v.picklist([...vmNames, 'auto'], `must be auto, ${vmNames.join(', ')}`), 'auto'),
  /** Which program gives it its network; `user` is QEMU's own. Left out: QEMU's own, or for the others what is installed. */
  network: v.optional(v.picklist(networkNames, `must be ${networkNames.join(', ')}`)),
  /** The guest's machine; another than the host's own is emulated. */
  system: v.optional(v.picklist(systemNames, `must be ${systemNames.join(' or ')}`)),
  /** What else the guest runs by its own processor: offered to Nix beside its system. */
  extraSystems: v.optional(
    v.array(v.picklist(extraSystemNames, `must be ${extraSystemNames.join(' or ')}`)),
    [],
  ),
  cpus: v.optional(whole('CPUs', 1, 512)),
  memoryMiB: v.optional(whole('MiB', 512, 4 * 1024 * 1024)),
  diskGiB: v.optional(whole('GiB', leastDiskGiB, 64 * 1024)),
  /** What ssh connects to: a port of 127.0.0.1, or a Unix socket that only the owner and root can reach. */
  door: v.optional(v.picklist(['tcp', 'unix'], 'must be tcp or unix'), 'tcp'),
  /** The front door on 127.0.0.1, where it is one. */
  port: v.optional(whole('a port', 1, 65535), 24083),
  /** Builds at a time; by default one a CPU, and at least 1 GiB each. */
  maxJobs: v.optional(whole('jobs', 1, 1024)),
  /** What Nix may ask of the builder; by default benchmark, and big-parallel where it has the cores for it. */
  features: v.optional(v.array(feature)),
  /** Offered too, and only to what requires all of these: so a builder is kept for some builds. */
  mandatoryFeatures: v.optional(v.array(feature), []),
  /** Among several builders that can do a build, Nix takes the one where this, by its load, is largest. Older ones take whole numbers only. */
  speedFactor: v.optional(whole('times', 1, 1000), 1),
  /** How Nix talks to the builder. */
  protocol: v.optional(v.picklist(['ssh-ng', 'ssh'], 'must be ssh-ng or ssh'), 'ssh-ng'),
  accelerator: v.optional(
    v.picklist(['auto', 'kvm', 'hvf', 'tcg'], 'must be auto, kvm, hvf or tcg'),
    'auto',
  ),
  /** PREFIX of PREFIX-kernel, PREFIX-initrd.img, PREFIX-cmdline; by default the image that `image build` made. */
  bundle: v.optional(v.pipe(v.string(), v.regex(/^\//, 'must be an absolute path'))),
  /** The version of the one image that is started although it is below its floors. */
  acceptOldImage: v.optional(v.string('must be the version of an image'), ''),
  /** Where files of the image are that the mirrors have no longer; as `image build --snapshots` takes it. */
  snapshots: v.optional(
    v.pipe(v.string(), v.regex(/^(https?:\/\/\S+)?$/, 'must be an http or https address')),
    '',
  ),
  /** How long the front door holds a connection for a guest that is not ready yet, in seconds. */
  holdSeconds: v.optional(whole('seconds', 10, 3600), 180),
  /** What becomes of a guest that nobody uses, and after how long; by default it goes on a Mac and on a laptop. */
  idle: v.optional(idleSchema),
  /** Whether the guest starts with the daemon, or with the first build; by default the latter on a Mac and on a laptop. */
  start: v.optional(v.picklist(startTimes, `must be ${startTimes.join(' or ')}`)),
  /** TCP ports of this machine's 127.0.0.1 that builds may reach, such as a proxy's or a cache's; no others. */
  hostPorts: v.optional(
    v.pipe(v.array(whole('a port', 1, 65535)), v.maxLength(32, 'must be at most 32 ports')),
    [],
  ),
  /** Whether builds reach private networks, such as the one this machine is in. */
  buildsReachLan: v.optional(v.boolean('must be true or false'), true),
  /** Whether the daemon looks for newer packages once a day, and whether it makes an image of them. */
  imageUpdates: v.optional(
    v.picklist(['off', 'notify', 'auto'], 'must be off, notify or auto'),
    'notify',
  ),
  verbose: v.optional(v.boolean('must be true or false'), false),
  /** Whether a desktop is told when the daemon gives up. */
  notifications: v.optional(v.boolean('must be true or false'), true),
  /** Whether a Mac on AC power is kept from sleeping while somebody is in the guest; by default on macOS. */
  keepAwake: v.optional(v.boolean('must be true or false')),
  /** Whether launchd or systemd starts the daemon: at login (`true` says so too), by default on macOS; or at boot, without a login. */
  autostart: v.optional(
    v.union([v.boolean(), v.picklist(['login', 'boot'])], 'must be true, false, login or boot'),
  ),
});

/** What each setting takes, by its name. */
export const settingSchemas = schema.entries;
export const settingNames: readonly string[] = Object.keys(settingSchemas);

/** What stands in the file: every field may be absent. */
export type ConfigFile = v.InferInput<typeof schema>;

/** A builder's settings, complete; nobody tests for undefined after this (`bundle` has no default to give). */
export type Config = Readonly<
  Omit<
    v.InferOutput<typeof schema>,
    | 'bundle'
    | 'network'
    | 'system'
    | 'cpus'
    | 'memoryMiB'
    | 'diskGiB'
    | 'maxJobs'
    | 'features'
    | 'keepAwake'
    | 'idle'
    | 'start'
  > & {
    /** `auto`: what is installed, decided at each start. */
    network: NetworkName | 'auto';
    cpus: number;
    memoryMiB: number;
    diskGiB: number;
    maxJobs: number;
    features: string[];
    keepAwake: boolean;
    idle: Idle;
    start: StartTime;
    bundle: string | undefined;
    system: System;
    /** Cores a build may use: NIX_BUILD_CORES in the guest. */
    coresPerJob: number;
  }
>;

/** Always among the features: a derivation that requires it is built here and nowhere else. */
export const builderFeature = 'linuxkit-builder';

export type Parsed =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Some editors put a byte order mark before what they write. */
export const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '');

/** Text of config.json + the host's limits -> a Config, or everything that is wrong with it. */
export function parseConfig(text: string, host: HostFacts): Parsed {
  let json: unknown;
  try {
    json = JSON.parse(withoutMark(text));
  } catch (error) {
    const problem = {
      path: 'config.json',
      value: undefined,
      message: `is not JSON (${(error as Error).message})`,
      hint: 'Mend the syntax, or run configure again.',
    };
    return { ok: false, problems: [problem] };
  }
  return checkConfig(json, host);
}

/** The same from a value: what configure is about to write is checked as it will be read. */
export function checkConfig(json: unknown, host: HostFacts): Parsed {
  // An array is an object to the schema.
  const shape = v.safeParse(schema, Array.isArray(json) ? null : json);
  if (!shape.success) {
    const wrong = shape.issues.map(problemOf).map((problem) => noDiskFits(problem, host));
    // One thing is told once: what no machine could have is above this one's, too.
    const above = hostProblems(json, host).filter(({ path }) =>
      wrong.every((problem) => problem.path !== path),
    );
    return { ok: false, problems: [...wrong, ...above] };
  }
  const problems = hostProblems(shape.output, host).map((problem) => noDiskFits(problem, host));
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, config: complete(shape.output, host) };
}

function complete(file: v.InferOutput<typeof schema>, host: HostFacts): Config {
  // As many as for `big-parallel`, where only two of them are fast: what has come here before still does.
  const fast = Math.max(host.performanceCores ?? host.cpus, bigCpus);
  const cpus = file.cpus ?? Math.min(host.cpus, fast, 8);
  const memoryMiB = file.memoryMiB ?? usualMemory(host.memoryMiB);
  const maxJobs = file.maxJobs ?? jobsFor(cpus, memoryMiB);
  const { idle, start } = idleDefaults(host.platform === 'darwin' || host.hasBattery === true);
  return Object.freeze({
    ...file,
    idle: idleOf(file.idle, idle),
    start: file.start ?? start,
    network: file.network ?? (hasOwnNetwork(file.vm) ? 'user' : 'auto'),
    cpus,
    memoryMiB,
    // Sparse: what is not used costs nothing; but a disk larger than its file system could only ever disappoint.
    diskGiB: file.diskGiB ?? Math.max(leastDiskGiB, Math.min(80, host.diskGiB)),
    maxJobs,
    features: [
      ...new Set([
        ...(file.features ?? usualFeatures(cpus)),
        ...file.mandatoryFeatures,
        builderFeature,
      ]),
    ],
    keepAwake: file.keepAwake ?? host.platform === 'darwin',
    bundle: file.bundle,
    system: file.system ?? nativeSystem(host.arch),
    coresPerJob: Math.max(1, Math.floor(Math.min(cpus, memoryMiB / memoryOfCore) / maxJobs)),
  });
}

/** In MiB: a quarter, as much as builds need at least, and never so much that the host, or its limit, is left without. */
const usualMemory = (hostMiB: number): number =>
  Math.max(512, Math.min(Math.max(2048, Math.floor(hostMiB / 4)), 8192, Math.floor(hostMiB / 2)));

/** In MiB: what a compiler of C++ takes, as a rule of thumb. */
const memoryOfCore = 1024;

/** How many builds at a time a guest of that size has room for. */
export const jobsFor = (cpus: number, memoryMiB: number): number =>
  Math.max(1, Math.min(cpus, Math.floor(memoryMiB / memoryOfCore)));

/** Builds that require big-parallel would take days on fewer. */
const bigCpus = 4;
const usualFeatures = (cpus: number): readonly string[] =>
  cpus >= bigCpus ? ['big-parallel', 'benchmark'] : ['benchmark'];

function problemOf(issue: v.InferIssue<typeof schema>): Problem {
  const name = v.getDotPath(issue) ?? 'config.json';
  const path = name.trim() === '' ? JSON.stringify(name) : name;
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return {
      path,
      value: issue.input,
      message: 'is not a setting',
      hint: `Settings are: ${settingNames.join(', ')}.`,
    };
  return {
    path,
    value: issue.input,
    message: issue.message,
    hint: 'docs/configuration.md lists what each setting takes.',
  };
}
