/**
 * Options that came after the oldest ssh that a stanza of ours is for (7.6), and that break a build where somebody's `Host *` sets them.
 * Pure. An ssh that does not know one stops at it for every host, so our stanza says none that nobody else says.
 */

/** One of them, as ssh_config(5) spells it. */
export interface NewerOption {
  readonly name: string;
  /** What it is where nobody has set it. */
  readonly neutral: string;
}

/** With the OpenSSH that brought each (its release notes). `loopback`: this system's name of the loopback interface. */
export const newerOptions = (loopback: string): readonly NewerOption[] => [
  // 7.7; an interface of the network reaches no loopback, and no value stands for none.
  { name: 'BindInterface', neutral: loopback },
  // 8.5; a command that fails ends the connection.
  { name: 'KnownHostsCommand', neutral: 'none' },
  // 8.7; these three: no command is run, none is read from, ssh leaves its caller.
  { name: 'SessionType', neutral: 'default' },
  { name: 'StdinNull', neutral: 'no' },
  { name: 'ForkAfterAuthentication', neutral: 'no' },
  // 9.6; a build that says nothing for long is cut off.
  { name: 'ChannelTimeout', neutral: 'none' },
];

/** The name of the interface, for options that want one. */
export const loopbackOf = (platform: NodeJS.Platform): string =>
  platform === 'linux' ? 'lo' : 'lo0';

/** An option that is set, with its value. */
export interface SetOption {
  readonly option: NewerOption;
  readonly value: string;
}

/** Those of options that a listing of `ssh -G` has with another value. */
export function setIn(listing: string, options: readonly NewerOption[]): readonly SetOption[] {
  return options.flatMap((option) => {
    const value = valueIn(listing, option.name);
    return value === undefined || value === option.neutral ? [] : [{ option, value }];
  });
}

/** Those of options that a text of ours says. */
export const saidIn = (text: string, options: readonly NewerOption[]): readonly NewerOption[] =>
  options.filter(({ name, neutral }) =>
    text.split('\n').some((line) => line.trim() === `${name} ${neutral}`),
  );

/** Whether the configuration that is listed says that an ssh which does not know the option shall pass over it. */
export const isPassedOver = (listing: string, { name }: NewerOption): boolean =>
  (valueIn(listing, 'IgnoreUnknown') ?? '')
    .split(',')
    .some((pattern) => patternOf(pattern).test(name));

function valueIn(listing: string, name: string): string | undefined {
  const keyword = `${name.toLowerCase()} `;
  const line = listing.split('\n').find((each) => each.startsWith(keyword));
  return line?.slice(keyword.length).trim();
}

/** As ssh_config(5) has patterns: `*` and `?`. */
const patternOf = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    'i',
  );
