import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Exit, Failed } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';

interface BootReportOptions extends DirectoryOption {
  readonly html?: string;
  readonly json?: boolean;
  readonly last: string;
}

/** `boot-report`: where the seconds of the last starts went. */
export function bootReportVerb(program: Command, context: CliContext): void {
  program
    .command('boot-report')
    .description('show how long each step of the last starts took')
    .option(...directoryOption)
    .option('-n, --last <count>', 'number of starts', '10')
    .option(
      '--html <file>',
      'also write a chart of these starts, and of the last 24 hours, to this file',
    )
    .option('--json', 'print JSON')
    .action(async (options: BootReportOptions) => {
      const layout = layoutFor(options, context, 'look');
      const count = Number(options.last);
      if (!Number.isInteger(count) || count < 1) throw new Failed(badCount(options.last));
      const { bootsOf, dayOf } = await import('../../command/boot-logs.ts');
      const { bootPage, bootTable } = await import('../../supervisor/status/boot-picture.ts');
      const boots = bootsOf(layout).slice(-count);
      if (options.html !== undefined) {
        const { writeWhole } = await import('../../system/files/files.ts');
        const path = resolve(options.html);
        writeWhole(path, bootPage(boots, dayOf(layout, context.clock.now())), { mode: 0o644 });
        return context.out(`Wrote ${path}`);
      }
      if (options.json === true) return context.out(JSON.stringify({ version: 1, boots }));
      for (const line of bootTable(boots)) context.out(line);
    });
}

const badCount = (value: string) => ({
  kind: 'bad-option',
  message: `--last must be a whole number, 1 or more, not ${JSON.stringify(value)}.`,
  hint: 'For example: --last 5',
  exit: Exit.usage,
});
