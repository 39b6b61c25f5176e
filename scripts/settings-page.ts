/** The reference part of docs/configuration.md, from the settings' rows. Pure. */
import { settingRows } from '../src/config/settings.ts';
import type { Flag } from '../src/config/setting.ts';

/** Markdown: a row for each setting, or for each part of one that has a flag of its own; and when a change of each acts. */
export function settingsPage(): string {
  const lines = settingRows.flatMap(([name, { flags = [], page }]) =>
    page.map(([takes, usual], n) => {
      const own = page.length > 1 ? flags.slice(n, n + 1) : flags;
      const [part] = own.map((flag) => flag.part);
      const setting = part === undefined ? name : `${name}.${part}`;
      return `| ${own.flatMap(namesOf).join(', ')} | \`${setting}\` | ${takes} | ${usual} |`;
    }),
  );
  return [
    '| flag | setting | takes | default |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
    `A change of ${named('now')} counts at once where a daemon runs. ${named('later')} are read when they are needed: by the`,
    'next start of the daemon, by `configure`, by `image build`. A guest that runs has all the others when it starts again.',
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
