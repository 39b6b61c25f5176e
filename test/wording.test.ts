/**
 * Sentences are for people. A program or a test that needs to know what happened asks for a kind, a code or a fact; how a sentence is
 * worded is held by test/messages alone.
 */
import { expect, test } from 'vitest';
import {
  assertedIn,
  decidedIn,
  filesIn,
  parsed,
  placesOf,
  sentences,
  sourceOf,
} from './own-words.ts';

/** Where words are asserted, compared or cut all the same. */
const exceptions: Readonly<Record<string, string>> = {
  'src/cli/daemon/daemon-command.ts': 'a sentence is told once until there is another',
  'src/cli/shell/man-page.ts': 'a man page has phrases where --help has sentences',
  'src/cli/status/status-screen.ts': 'lines are wrapped to the width of a terminal',
  'src/client/until-ready.ts': 'a sentence is told once until there is another',
  'src/system/advice.ts': 'a text that something follows gets a full stop, whatever it says',
  'src/system/failure.ts': 'of what Node says the first line is quoted',
  'test/config/config.test.ts':
    'a setting can be wrong for several reasons, and a problem has no kind',
  'test/doctor/report.test.ts': 'what a report leaves out of texts is the subject',
  'test/guest/identity.test.ts': 'several causes are of one kind: identity-broken',
  'test/guest/probe.test.ts':
    'several causes are of one kind: a requirement that the guest does not meet',
  'test/image/deb.test.ts': 'several causes are of one kind: package-broken',
  'test/nix/build-routing.test.ts':
    'a build goes where it does for several reasons, and a reason has no kind',
};

test('no test asserts how a failure, a problem or a finding is worded', () => {
  expect(sentences.length).toBeGreaterThan(1000);
  const found = filesIn('test')
    .filter((file) => !file.startsWith('test/messages/') && !(file in exceptions))
    .flatMap((file) => {
      const source = sourceOf(file);
      return placesOf(file, source, assertedIn(source));
    });
  expect(found).toEqual([]);
});

test('nothing in src depends on how a sentence is worded', () => {
  const found = filesIn('src')
    .filter((file) => !(file in exceptions))
    .flatMap((file) => {
      const source = sourceOf(file);
      return placesOf(file, source, decidedIn(source));
    });
  expect(found).toEqual([]);
});

test('each exception is needed', () => {
  const idle = Object.keys(exceptions).filter((file) => {
    const source = sourceOf(file);
    const found = file.startsWith('src/') ? decidedIn(source) : assertedIn(source);
    return found.length === 0;
  });
  expect(idle).toEqual([]);
});

test.each([
  'if (problem.hint === readMore) f();',
  "if (failure.message.includes('x')) f();",
  "if (plainly(failure.hint).endsWith('x')) f();",
  'if (/x/.test(because?.message ?? "")) f();',
  'switch (sentence) {}',
])('what decides by a text is found: %s', (text) =>
  expect(decidedIn(parsed(text))).toHaveLength(1),
);

test.each([
  'expect(() => f()).toThrow(OURS);',
  'expect(plainly(failure.hint)).toContain(OURS);',
  'expect(finding).toMatchObject({ kind: "bad", what: saying(OURS) });',
  'expect(plainly(failure.hint).includes(OURS)).toBe(true);',
  'test.each([["a", OURS]])("%s", (_, words) => expect(problem.message).toContain(words));',
])('what asserts a text is found: %s', (text) => {
  const [ours = ''] = sentences;
  expect(assertedIn(parsed(text.replace('OURS', JSON.stringify(ours))))).not.toEqual([]);
  expect(assertedIn(parsed(text.replace('OURS', '"/a/path"')))).toEqual([]);
});
