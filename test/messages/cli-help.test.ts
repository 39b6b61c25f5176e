import { examples } from '../../src/cli/shell/examples.ts';
import { linesOf } from './command-rig.ts';
import { tells, type States } from './tell.ts';

const help = (words: string) => () => linesOf([...words.split(' '), '--help'].filter(Boolean));

tells('cli-help', {
  'What --help says': {
    'of the program': help(''),
    ...(Object.fromEntries(
      [...Object.keys(examples), 'prepare'].map((words) => [`of ${words}`, help(words)]),
    ) satisfies States),
  },
  'A command line that is wrong': {
    'an unknown command': () => linesOf(['sart']),
    'an unknown option': () => linesOf(['start', '--quick']),
    'an argument is missing': () => linesOf(['explain']),
  },
  'The manual page': { 'of all commands': () => linesOf(['man']) },
});
