/** config.json: what a builder is, chosen once on the host. Parsed whole: a frozen Config, or every Problem. */
import * as v from 'valibot';
import { idleDefaults, idleOf, type Idle } from './idle.ts';
import { hostProblems, leastDiskGiB, noDiskFits, type HostFacts } from './host-limits.ts';
import { instance } from './instance.ts';
import { withoutCommonHint, type Problem } from '../domain/problem.ts';
import { settingNames, settingRows, type settings, type SettingName } from './settings.ts';
import { nativeSystem } from '../domain/guest-system.ts';
import { hasOwnNetwork, type NetworkName } from '../domain/vm-programs.ts';
import { advice, ours } from '../system/advice.ts';

export type { HostFacts } from './host-limits.ts';

type Schemas = { readonly [Name in SettingName]: (typeof settings)[Name]['schema'] };
/** What each setting takes, by its name. One cast: `fromEntries` does not relate a value to its key. */
export const settingSchemas = Object.fromEntries(
  settingRows.map(([name, { schema }]) => [name, schema]),
) as unknown as Schemas;

const schema = v.strictObject(settingSchemas, 'must be a JSON object');

/** What stands in the file: every field may be absent. */
export type ConfigFile = v.InferInput<typeof schema>;
type Given = v.InferOutput<typeof schema>;
/** Who has none has none by default either. */
type Open = 'bundle' | 'autostart';

/** A builder's settings, complete; nobody tests for undefined after this but of `bundle` and `autostart`, which have no default to give. */
export type Config = Readonly<
  { [Name in Exclude<SettingName, Open | 'network' | 'idle'>]: Exclude<Given[Name], undefined> } & {
    bundle: string | undefined;
    autostart?: Given['autostart'];
    /** `auto`: what is installed, decided at each start. */
    network: NetworkName | 'auto';
    idle: Idle;
    /** Cores a build may use: NIX_BUILD_CORES in the guest. */
    coresPerJob: number;
  }
>;

/** Always among the features: a derivation that requires it is built here and nowhere else. */
export const builderFeature = instance.feature;

type Parsed =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const whole = 'config.json';

/** Some editors put a byte order mark before what they write. */
export const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '');

/** Text of config.json + the host's limits -> a Config, or everything that is wrong with it. */
export function parseConfig(text: string, host: HostFacts): Parsed {
  let json: unknown;
  try {
    json = JSON.parse(withoutMark(text));
  } catch (error) {
    const problem = {
      path: whole,
      value: undefined,
      message: 'is not valid JSON',
      quotes: (error as Error).message,
      hint: advice`Correct it, or move it away and start with the defaults: ${ours('configure')}`,
    };
    return { ok: false, problems: [problem] };
  }
  return checkConfig(json, host);
}

/** The same from a value: what configure is about to write is checked as it will be read. */
export function checkConfig(json: unknown, host: HostFacts): Parsed {
  // An array is an object to the schema. Of one value the first thing that is wrong is told: Infinity, as JSON.parse makes it of 1e400, is
  // no whole number, and too large besides.
  const shape = v.safeParse(schema, Array.isArray(json) ? null : json, { abortPipeEarly: true });
  if (!shape.success) {
    const wrong = shape.issues
      .map(problemOf)
      .map(sayOnce)
      .map((problem) => noDiskFits(problem, host));
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

function complete(file: Given, host: HostFacts): Config {
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

/** Where to read more is said once, after the last of several problems. */
const sayOnce = (problem: Problem, index: number, all: readonly Problem[]): Problem =>
  all.slice(index + 1).some(({ hasCommonHint }) => hasCommonHint)
    ? withoutCommonHint(problem)
    : problem;

/** The advice where the value of a setting is none. */
export const readMore = 'See docs/configuration.md for the values of each setting.';

function problemOf(issue: v.InferIssue<typeof schema>): Problem {
  const name = v.getDotPath(issue) ?? whole;
  const path = name.trim() === '' ? JSON.stringify(name) : name;
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return {
      path,
      value: undefined,
      message: 'is not a setting',
      hint: `The settings are: ${settingNames.join(', ')}.`,
    };
  return {
    path,
    // Of the whole file there is more than a line can show.
    value: name === whole ? undefined : issue.input,
    message: issue.message,
    hint: readMore,
    hasCommonHint: true,
  };
}
