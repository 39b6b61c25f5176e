/**
 * Network programs that are here and do not serve: remembered for one boot of the host and one build of the program, as with the
 * accelerators, so that the next start takes another one.
 */
import type { Layout } from '../config/layout.ts';
import { errorCode, Failed } from '../system/failure.ts';
import { readIfThere, versionOf, writeWhole } from '../system/files.ts';
import { fieldsOf } from '../system/json-lines.ts';
import { bootId } from '../system/process.ts';

/** Why that program did not serve when it was tried last; undefined when it was not tried, or did. */
export function whyUnfit(program: string, { networksUnfit }: Layout): string | undefined {
  const why = recorded(networksUnfit)[keyOf(program)];
  return typeof why === 'string' ? why : undefined;
}

/** What cannot be remembered is found again by the next start. */
export function setUnfit(program: string, why: string, { networksUnfit }: Layout): void {
  const ofThisBoot = Object.entries(recorded(networksUnfit)).filter(([key]) =>
    key.startsWith(`${bootId()} `),
  );
  try {
    const known = { ...Object.fromEntries(ofThisBoot), [keyOf(program)]: why };
    writeWhole(networksUnfit, `${JSON.stringify(known)}\n`, { durable: false });
  } catch (error) {
    // No room, or the program was taken away in this moment.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
  }
}

const keyOf = (program: string): string => `${bootId()} ${versionOf(program)}`;

/** Sentences by program; none where the file is not there, or not ours. */
function recorded(path: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(readIfThere(path) ?? '{}'));
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) !== undefined) return {};
    throw error;
  }
}
