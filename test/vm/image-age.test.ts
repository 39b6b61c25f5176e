import { describe, expect, test } from 'vitest';
import { ageOf, describeAge, readNews, type ImageNews } from '../../src/vm/image-age.ts';
import { plainly, type Text } from '../../src/system/advice.ts';

const now = Date.parse('2026-12-01T00:00:00Z');
const daysAgo = (days: number) => new Date(now - days * 24 * 60 * 60 * 1000).toISOString();
const made = (securityDays: number | undefined, mainDays = 100) => ({
  indexDate: daysAgo(Math.min(mainDays, securityDays ?? mainDays)),
  suites: [
    { codename: 'trixie', archive: 'main', indexDate: daysAgo(mainDays) },
    ...(securityDays === undefined
      ? []
      : [{ codename: 'trixie-security', archive: 'security', indexDate: daysAgo(securityDays) }]),
  ],
});
const news = (securityDays: number, newer: number): ImageNews => ({
  version: 1,
  lookedAt: daysAgo(0),
  securityDate: daysAgo(securityDays),
  newer,
});
const plainlyOr = (text: Text | undefined) => text && plainly(text);
const words = (...[manifest, found]: [ReturnType<typeof made>, ImageNews?]) =>
  plainlyOr(describeAge(ageOf(manifest, found, now)));

// Behaviour 158: `image build`, `status` and `doctor` report an image that is more than 45 days behind Debian's
// security archive, or that was made without it. They also report how many packages were newer at the last check.
describe('an image', () => {
  test('is as old as its index of the security archive, whatever the age of the others', () => {
    expect(words(made(45))).toBeUndefined();
    expect(words(made(46))).toContain("is 46 days behind Debian's security updates. ");
    expect(words(made(46, 1))).toContain("is 46 days behind Debian's security updates. ");
    expect(words(made(3, 400))).toBeUndefined();
  });

  test('made without the security archive is told of, as old as its newest index', () => {
    expect(words(made(undefined, 1))).toContain('is 1 day old and does not include');
    expect(words(made(undefined, 50))).toContain('is 50 days old and does not include');
    expect(plainlyOr(describeAge(ageOf({ indexDate: daysAgo(90) }, undefined, now)))).toContain(
      '90 days',
    );
  });

  test('that is young is told of when something is newer', () => {
    expect(words(made(5), news(1, 1))).toContain('; 1 package is newer there. ');
    expect(words(made(5), news(1, 7))).toContain('; 7 packages are newer there. ');
    expect(words(made(5), news(1, 0))).toBeUndefined();
  });

  test('is not judged by a look of before it was made', () =>
    expect(words(made(5), news(5, 7))).toBeUndefined());
});

test.each([
  undefined,
  '',
  '{',
  '[]',
  '{"version":1}',
  '{"version":1,"lookedAt":"x","securityDate":"y","newer":-1}',
])('news that cannot be read are none: %j', (text) => expect(readNews(text)).toBeUndefined());
