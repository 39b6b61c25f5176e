/**
 * Colours that are told apart, also by who sees no difference of red and green, on white and on nearly black: chosen as far from each
 * other as may be (OKLab, with and without deuteranopia), each with a contrast of at least 1.6 to both grounds.
 */
const colours = [
  '#3027ed',
  '#18ea0f',
  '#003f8d',
  '#c6c9a2',
  '#064b36',
  '#d5b1ff',
  '#7b3306',
  '#48b4ff',
  '#c90906',
  '#9048ff',
  '#e77806',
  '#2a6cbd',
  '#5aa881',
  '#7b3987',
  '#db15d5',
  '#696c66',
] as const;

/** The steps of a start, in the order in which they usually come: each has the same colour in every picture. */
export const usualSteps = [
  'prepared',
  'accelerator-tried',
  'vm-started',
  'vm-answers',
  'memory-loaded',
  'init',
  'seed',
  'root',
  'disk-check',
  'disk',
  'network',
  'sshd',
  'agent',
  'nix',
  'ready',
] as const;

/** The colour of a step; `names` are all that a picture shows. A step that another release had gets one that is left. */
export function stepColour(name: string, names: readonly string[]): string {
  const usual: readonly string[] = usualSteps;
  const others = names.filter((each) => !usual.includes(each));
  const at = usual.includes(name) ? usual.indexOf(name) : usual.length + others.indexOf(name);
  return colours[at % colours.length] ?? colours[0];
}
