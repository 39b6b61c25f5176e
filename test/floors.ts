/**
 * Floors of the building, lowest first. A file may import from its own top-level folder and from lower floors, never from a sibling on
 * its own floor; types count.
 */
export const floors = [
  ['system'],
  ['domain'],
  ['config'],
  ['vm', 'net', 'guest', 'door'],
  ['image', 'supervisor', 'host'],
  ['command'],
  ['nix', 'client'],
  ['service'],
  ['setup'],
  ['doctor'],
  ['cli'],
  ['.'],
];
