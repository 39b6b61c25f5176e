/** The reference part of docs/configuration.md, from the settings' rows. Pure. */
import { settingRows } from '../src/config/settings.ts';
import type { Flag } from '../src/config/setting.ts';

/** The headings of the page, each with its settings in the order in which people need them. */
const groups: readonly (readonly [heading: string, names: readonly string[]])[] = [
  ['Size', ['cpus', 'memoryMiB', 'diskGiB']],
  ['When it runs', ['start', 'idle', 'autostart', 'holdSeconds', 'keepAwake', 'notifications']],
  [
    'What Nix is told',
    ['maxJobs', 'features', 'mandatoryFeatures', 'extraSystems', 'speedFactor', 'protocol'],
  ],
  ['How it is reached, and what builds reach', ['door', 'port', 'hostPorts', 'buildsReachLan']],
  ['What runs the guest', ['vm', 'accelerator', 'network', 'system', 'bundle']],
  ['The image, and the log', ['imageUpdates', 'snapshots', 'acceptOldImage', 'verbose']],
];

/** Nix reads them in its list of builders, and the daemon does not. */
const [, toNix = []] = groups.find(([heading]) => heading === 'What Nix is told') ?? [];

/** What a change of those waits for that are neither the running daemon's nor the guest's. */
const later: Readonly<Record<string, string>> = {
  autostart: 'at the next `configure`',
  start: 'when the daemon next starts',
  snapshots: 'at the next `image build`',
};

/** Markdown: an entry for each setting, or for each part of one that has a flag of its own; and when a change takes effect. */
export function settingsPage(): string {
  const rows = new Map<string, Row>(settingRows);
  const sections = groups.map(([heading, names]) => {
    const entries = names.flatMap((name) => entriesOf(name, taken(rows, name)));
    return `### ${heading}\n\n${entries.join('\n')}\n`;
  });
  if (rows.size > 0) throw new Error(`in no group of the page: ${[...rows.keys()].join(', ')}`);
  return [
    ...sections,
    '### When a change takes effect',
    '',
    `- at once, while a daemon is running: ${named((name) => !toNix.includes(name))}`,
    `- as soon as \`configure\` has written root's files: ${named((name) => toNix.includes(name))}`,
    `- later: ${waiting().join(', ')}`,
    '- when the guest next starts (`linuxkit-builder restart`): all others',
    '',
    'A setting that Nix or ssh needs to know ([above](#settings)) takes effect for Nix and ssh as soon as `configure` has written their files, even if the daemon or the guest uses it only from the next start of the guest. So after a change of `door` or `port`, run `linuxkit-builder restart` at once: until then, builds cannot connect.',
    '',
  ].join('\n');
}

type Row = (typeof settingRows)[number][1];

/** A setting's row, which stands in one group alone. */
function taken(rows: Map<string, Row>, name: string): Row {
  const row = rows.get(name);
  if (row === undefined) throw new Error(`no setting, or in two groups of the page: ${name}`);
  rows.delete(name);
  return row;
}

const entriesOf = (name: string, { flags = [], page }: Row): string[] =>
  page.map(([meaning, takes, usual], n) => {
    const own = page.length > 1 ? flags.slice(n, n + 1) : flags;
    const [part] = own.map((flag) => flag.part);
    const setting = part === undefined ? name : `${name}.${part}`;
    const names = [`**\`${setting}\`**`, ...own.flatMap(namesOf)].join(', ');
    return `- ${names}: ${meaning}\n  Values: ${takes}. Default: ${usual}.`;
  });

function waiting(): string[] {
  return settingRows.flatMap(([name, { acts }]) => {
    if (acts !== 'later') return [];
    const when = later[name];
    if (when === undefined) throw new Error(`when does a change of ${name} take effect?`);
    return [`\`${name}\` ${when}`];
  });
}

const namesOf = ({ flags }: Flag): string[] =>
  flags
    .split(/[ ,]+/)
    .filter((word) => word.startsWith('-'))
    .map((word) => `\`${word}\``);

/** Those of which a change waits for nothing. */
function named(isMeant: (name: string) => boolean): string {
  const names = settingRows.flatMap(([name, { acts }]) =>
    acts === 'now' && isMeant(name) ? [`\`${name}\``] : [],
  );
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
