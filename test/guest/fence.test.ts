import { describe, expect, test } from 'vitest';
import { fenceMessages, fenceRules, type Rule } from '../../src/guest/agent/fence.ts';

const usual = { address: '10.0.2.15/24', nameservers: ['10.0.2.3'], hostPorts: [], lan: true };
const words = ({ to, does, port }: Rule) =>
  `${does} ${to}${port === undefined ? '' : ` ${port.protocol} ${port.number}`}`;

describe('the rules for builds', () => {
  test("leave DNS, and close the rest of the guest's own network, in which all else is the host", () => {
    expect(fenceRules(usual).map(words)).toEqual([
      'allow 10.0.2.3/32 udp 53',
      'allow 10.0.2.3/32 tcp 53',
      'prohibit 10.0.2.15/24',
      'prohibit 169.254.0.0/16',
    ]);
  });

  test("open the host's ports that are named, and close private networks where that is asked for", () => {
    const rules = fenceRules({ ...usual, nameservers: [], hostPorts: [3128, 5000], lan: false });
    expect(rules.map(words)).toEqual([
      'allow 10.0.2.15/24 tcp 3128',
      'allow 10.0.2.15/24 tcp 5000',
      'prohibit 10.0.2.15/24',
      'prohibit 169.254.0.0/16',
      'prohibit 10.0.0.0/8',
      'prohibit 172.16.0.0/12',
      'prohibit 192.168.0.0/16',
      'prohibit 100.64.0.0/10',
    ]);
  });
});

test('a rule is a request that the kernel takes', () => {
  // Read back with iproute2: "1000: from all to 10.0.2.0/24 uidrange 1001-4294967294 ipproto tcp dport 3128 lookup main".
  const [rule] = fenceRules({ ...usual, nameservers: [], hostPorts: [3128] });
  expect(
    fenceMessages(rule === undefined ? [] : [rule])
      .toString('hex')
      .match(/.{8}/g),
  ).toEqual([
    '48000000',
    '20000106',
    '01000000',
    '00000000',
    '02180000',
    'fe000001',
    '00000000',
    '08000100',
    '0a000200',
    '08000600',
    'e8030000',
    '0c001400',
    'e9030000',
    'feffffff',
    '05001600',
    '06000000',
    '08001800',
    '380c380c',
  ]);
});
