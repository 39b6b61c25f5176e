import { expect, test } from 'vitest';
import { noAnswerIn, printsBefore } from '../../src/doctor/ssh/ssh-verdicts.ts';
import { sshHint } from '../../src/guest/login/ssh-words.ts';

test.each([noAnswerIn(30), printsBefore('"x"')])(
  'what is said by us and not by ssh has no meaning of ssh: %s',
  (said) => expect(sshHint(said)).toEqual(sshHint('')),
);
