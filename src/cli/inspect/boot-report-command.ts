import { resolve } from 'node:path';
import type { Command } from 'commander';
import { notEmpty, wholeFrom } from '../../command/option-values.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';

interface BootReportOptions extends DirectoryOption {
  readonly html?: string;
  readonly json?: boolean;
  readonly last: number;
}

/** `boot-report`: where the seconds of the last starts went. */
export function bootReportCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('-n, --last <count>', 'number of starts', wholeFrom(1), 10)
    .option(
      '--html <file>',
      'also write a chart of these starts, and of the last 24 hours, to this file',
      notEmpty,
    )
    .option('--json', 'print JSON')
    .action(async (options: BootReportOptions) => {
      const layout = layoutFor(options, context, 'look');
      const { bootsOf, dayOf } = await import('../../command/boot-logs.ts');
      const { bootPage, bootTable } = await import('../../supervisor/status/boot-picture.ts');
      const boots = bootsOf(layout).slice(-options.last);
      if (options.html !== undefined) {
        const { writeNamed } = await import('../../command/named-file.ts');
        const path = resolve(options.html);
        writeNamed(path, bootPage(boots, dayOf(layout, context.clock.now())), 0o644);
        return context.out(`Wrote ${path}`);
      }
      if (options.json === true) return context.out(JSON.stringify({ version: 1, boots }));
      for (const line of bootTable(boots)) context.out(line);
    });
}
