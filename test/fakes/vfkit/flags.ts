/** vfkit's flags, as pflag and cobra read them. */
import { parseBool, parseUint, quote, type Read } from './go-words.ts';
import { refuse, type Refusal } from './refusal.ts';
import { isSince, type Version } from './version.ts';

export interface Flags {
  readonly kind: 'flags';
  readonly cpus: number;
  readonly memoryMiB: number;
  /** The texts of -b, split and joined. */
  readonly bootloader: readonly string[];
  readonly kernel: string;
  readonly initrd: string;
  readonly cmdline: string;
  readonly devices: readonly string[];
  readonly timesync: string;
  readonly restfulUri: string;
  readonly pidfile: string;
  readonly logLevel: string;
  readonly ignition: readonly string[];
  readonly nested: boolean;
}

/** What is said on stdout by a vfkit that ends with 0. */
export interface Said {
  readonly kind: 'said';
  readonly text: string;
}

type Setter = (text: string) => Read<unknown>;

interface Definition {
  readonly name: string;
  readonly letter?: string;
  readonly isBoolean?: boolean;
  readonly since?: Version;
  readonly set: Setter;
}

/** The words of a command line, in the order in which cobra looks at them. */
export function readFlags(argv: readonly string[], version: Version): Flags | Said | Refusal {
  if (argv[0] === 'completion' && argv[1] !== undefined)
    return { kind: 'said', text: `# completion for ${argv[1]}\n` };
  const values = emptyValues();
  const definitions = define(values).filter(({ since = version }) => isSince(version, since));
  const isSet = new Set<string>();
  const wrong = parseWords(argv, definitions, isSet);
  if (wrong !== undefined) return refuse(2, wrong);
  if (values.help) return { kind: 'said', text: usage };
  if (values.version) return { kind: 'said', text: `vfkit version: v${version}\n` };
  const group = groupRules(isSet);
  return group === undefined ? { kind: 'flags', ...values } : refuse(2, group);
}

const emptyValues = () => ({
  cpus: 1,
  memoryMiB: 512,
  kernel: '',
  initrd: '',
  cmdline: '',
  bootloader: [] as string[],
  devices: [] as string[],
  ignition: [] as string[],
  timesync: '',
  restfulUri: 'none://',
  pidfile: '',
  logLevel: '',
  cloudInit: [] as string[],
  nested: false,
  gui: false,
  help: false,
  version: false,
});

type Values = ReturnType<typeof emptyValues>;

function define(values: Values): readonly Definition[] {
  const keep =
    <T>(read: (text: string) => Read<T>, put: (value: T) => void): Setter =>
    (text) => {
      const result = read(text);
      if ('value' in result) put(result.value);
      return result;
    };
  const uint = (put: (value: number) => void) => keep((text) => parseUint(text, 0, 64), put);
  const text = (put: (value: string) => void) => keep((value) => ({ value }), put);
  const list = (all: string[]) =>
    keep(splitQuoted, (items) => {
      all.push(...items);
    });
  const bool = (put: (value: boolean) => void) => keep(parseBool, put);
  return [
    { name: 'cpus', letter: 'c', set: uint((value) => (values.cpus = value)) },
    { name: 'memory', letter: 'm', set: uint((value) => (values.memoryMiB = value)) },
    { name: 'bootloader', letter: 'b', set: list(values.bootloader) },
    { name: 'kernel', letter: 'k', set: text((value) => (values.kernel = value)) },
    { name: 'initrd', letter: 'i', set: text((value) => (values.initrd = value)) },
    { name: 'kernel-cmdline', letter: 'C', set: text((value) => (values.cmdline = value)) },
    { name: 'device', letter: 'd', set: text((value) => void values.devices.push(value)) },
    { name: 'timesync', letter: 't', set: text((value) => (values.timesync = value)) },
    { name: 'restful-uri', set: text((value) => (values.restfulUri = value)) },
    { name: 'pidfile', since: '0.6.2', set: text((value) => (values.pidfile = value)) },
    { name: 'log-level', set: text((value) => (values.logLevel = value)) },
    { name: 'ignition', set: list(values.ignition) },
    { name: 'cloud-init', since: '0.6.1', set: list(values.cloudInit) },
    { name: 'gui', isBoolean: true, set: bool((value) => (values.gui = value)) },
    {
      name: 'nested',
      letter: 'n',
      since: '0.6.2',
      isBoolean: true,
      set: bool((value) => (values.nested = value)),
    },
    { name: 'help', letter: 'h', isBoolean: true, set: bool((value) => (values.help = value)) },
    {
      name: 'version',
      letter: 'v',
      isBoolean: true,
      set: bool((value) => (values.version = value)),
    },
  ];
}

/** Undefined, or what is wrong. Words that are no flags are ignored, wherever they stand; so is all behind `--`. */
function parseWords(
  argv: readonly string[],
  definitions: readonly Definition[],
  isSet: Set<string>,
): string | undefined {
  const words = [...argv];
  const put = (definition: Definition, value: string): string | undefined => {
    const { name, letter, set } = definition;
    const result = set(value);
    if ('says' in result) {
      const flag = letter === undefined ? `--${name}` : `-${letter}, --${name}`;
      return `invalid argument ${quote(value)} for "${flag}" flag: ${result.says}`;
    }
    isSet.add(name);
    return undefined;
  };
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (!word.startsWith('-') || word === '-') continue;
    if (word === '--') return undefined;
    const wrong = word.startsWith('--')
      ? longFlag(word, words, definitions, put)
      : shortFlags(word, words, definitions, put);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

type Put = (definition: Definition, value: string) => string | undefined;

function longFlag(
  word: string,
  words: string[],
  definitions: readonly Definition[],
  put: Put,
): string | undefined {
  const [, name = '', , inWord] = /^--([^=]*)(=(.*))?$/s.exec(word) ?? [];
  if (name === '' || name.startsWith('-')) return `bad flag syntax: ${word}`;
  const definition = definitions.find((each) => each.name === name);
  if (definition === undefined) return `unknown flag: --${name}`;
  const value = inWord ?? (definition.isBoolean === true ? 'true' : words.shift());
  return value === undefined ? `flag needs an argument: --${name}` : put(definition, value);
}

function shortFlags(
  word: string,
  words: string[],
  definitions: readonly Definition[],
  put: Put,
): string | undefined {
  for (let rest = word.slice(1); rest !== '';) {
    const letter = rest[0] ?? '';
    const definition = definitions.find((each) => each.letter === letter);
    if (definition === undefined) return `unknown shorthand flag: '${letter}' in -${rest}`;
    rest = rest.slice(1);
    let value: string | undefined;
    if (rest.length > 1 && rest.startsWith('=')) [value, rest] = [rest.slice(1), ''];
    else if (definition.isBoolean === true) value = 'true';
    else if (rest !== '') [value, rest] = [rest, ''];
    else value = words.shift();
    if (value === undefined) return `flag needs an argument: '${letter}' in ${word}`;
    const wrong = put(definition, value);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** At commas outside quotes; an item loses its quotes where it both begins and ends with one. */
function splitQuoted(text: string): Read<string[]> {
  if (text === '') return { value: [] };
  if ((text.match(/"/g) ?? []).length % 2 === 1) return { says: `mismatched " in ${text}` };
  const items = [''];
  let isQuoted = false;
  for (const letter of text) {
    if (letter === '"') isQuoted = !isQuoted;
    if (letter === ',' && !isQuoted) items.push('');
    else items.push(`${items.pop() ?? ''}${letter}`);
  }
  return { value: items.map((item) => (/^".*"$/s.test(item) ? item.slice(1, -1) : item)) };
}

/** cobra's flag groups: -k -i -C all or none, and none of them beside -b. */
function groupRules(isSet: ReadonlySet<string>): string | undefined {
  const direct = ['kernel', 'initrd', 'kernel-cmdline'];
  const missing = direct.filter((name) => !isSet.has(name));
  if (missing.length > 0 && missing.length < direct.length)
    return `if any flags in the group [${direct.join(' ')}] are set they must all be set; missing [${missing.join(' ')}]`;
  if (missing.length === 0 && isSet.has('bootloader'))
    return 'if any flags in the group [kernel bootloader] are set none of the others can be; [bootloader kernel] were all set';
  return undefined;
}

export const usage = `Usage:
  vfkit [flags]

Flags:
  -b, --bootloader strings       bootloader configuration
      --cloud-init strings       path to user-data and meta-data cloud-init configuration files
  -c, --cpus uint                number of virtual CPUs (default 1)
  -d, --device stringArray       devices
      --gui                      display the VM in a GUI
  -h, --help                     help for vfkit
      --ignition strings         path to the ignition file
  -i, --initrd string            path to the virtual machine initrd
  -k, --kernel string            path to the virtual machine linux kernel
  -C, --kernel-cmdline string    linux kernel command line
      --log-level string         set log level
  -m, --memory uint              virtual machine RAM size in mebibytes (default 512)
  -n, --nested                   enable nested virtualization
      --pidfile string           path to PID file
      --restful-uri string       URI address for RESTful services (default "none://")
  -t, --timesync string          sync guest time when host wakes up from sleep
  -v, --version                  version for vfkit
`;
