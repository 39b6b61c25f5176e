import { expect, test } from 'vitest';
import { leastPort, portWarnings } from '../../src/setup/configure/port-warnings.ts';

test.each([
  ['an ordinary port', { door: 'tcp', port: 24083 }, { uid: 1000, least: 1024 }, 0],
  ['the first ordinary one', { door: 'tcp', port: 1024 }, { uid: 1000, least: 1024 }, 0],
  ['one of root’s', { door: 'tcp', port: 1023 }, { uid: 1000, least: 1024 }, 1],
  ['one of root’s, for root', { door: 'tcp', port: 80 }, { uid: 0, least: 1024 }, 0],
  ['where fewer are root’s', { door: 'tcp', port: 80 }, { uid: 1000, least: 80 }, 0],
  ['where more are', { door: 'tcp', port: 1500 }, { uid: 1000, least: 2000 }, 1],
  ['where there is no port', { door: 'unix', port: 80 }, { uid: 1000, least: 1024 }, 0],
] as const)('%s', (_, config, account, expected) => {
  expect(portWarnings(config, account)).toHaveLength(expected);
});

test('the first port of this machine that is not root’s alone', () => {
  expect(Number.isInteger(leastPort())).toBe(true);
});
