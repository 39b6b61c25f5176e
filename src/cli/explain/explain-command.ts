import type { Command } from 'commander';
import type { Routing } from '../../nix/build-routing.ts';
import type { Notes } from './explain.ts';
import { advice, type Text } from '../../system/advice.ts';
import { Exit } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';

interface ExplainOptions extends DirectoryOption {
  readonly json?: boolean;
}

/** `explain`: why a build would or would not come to the builder. Exit 0 when it comes, or has nothing to come for. */
export function explainCommand(command: Command, context: CliContext): void {
  command
    .argument(
      '<installable>',
      'a .drv file, a .nix file, or any installable of nix build (nixpkgs#hello)',
    )
    .option(...directoryOption)
    .option('--json', 'print JSON')
    .action(async (installable: string, options: ExplainOptions) => {
      const layout = layoutFor(options, context, 'look');
      const { explain } = await import('./explain.ts');
      const destination = await explain(installable, layout, context);
      if (options.json === true) context.out(JSON.stringify({ version: 1, ...destination }));
      else for (const line of destinationLines(destination)) context.out(line);
      if (['stays', 'nowhere', 'unknown'].includes(destination.where)) context.exit(Exit.general);
    });
}

/** The answer first, then each condition. */
const destinationLines = ({ answer, reasons, notes = [] }: Routing & Partial<Notes>): Text[] => [
  answer,
  ...reasons.flatMap(({ holds, text, remedy }) => [
    `  ${holds ? 'yes' : 'no '}  ${text}`,
    ...(holds || remedy === undefined ? [] : [advice`       -> ${remedy}`]),
  ]),
  ...notes.map((note) => `  note ${note}`),
];
