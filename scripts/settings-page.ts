/** The reference part of docs/configuration.md, from the settings' rows. Pure. */
import { settingRows } from '../src/config/settings.ts';
import type { Flag } from '../src/config/setting.ts';

/** Markdown: an entry for each setting, or for each part of one that has a flag of its own; and when a change takes effect. */
export function settingsPage(): string {
  const entries = settingRows.flatMap(([name, { flags = [], page }]) =>
    page.map(([meaning, takes, usual], n) => {
      const own = page.length > 1 ? flags.slice(n, n + 1) : flags;
      const [part] = own.map((flag) => flag.part);
      const setting = part === undefined ? name : `${name}.${part}`;
      const names = [`**\`${setting}\`**`, ...own.flatMap(namesOf)].join(', ');
      return `- ${names}: ${meaning}\n  Values: ${takes}. Default: ${usual}.`;
    }),
  );
  return [
    entries.join('\n'),
    '',
    'A change takes effect:',
    '',
    `- at once, while a daemon is running: ${named('now')}`,
    `- when the daemon, \`configure\` or \`image build\` next runs: ${named('later')}`,
    '- when the guest next starts (`linuxkit-builder restart`): all others',
    '',
  ].join('\n');
}

const namesOf = ({ flags }: Flag): string[] =>
  flags
    .split(/[ ,]+/)
    .filter((word) => word.startsWith('-'))
    .map((word) => `\`${word}\``);

function named(when: 'now' | 'later'): string {
  const names = settingRows.flatMap(([name, { acts }]) => (acts === when ? [`\`${name}\``] : []));
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
