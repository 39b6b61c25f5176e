import type { Failure } from '../system/failure.ts';

/** A failure for a person: what happened, the facts, what to do. */
export function failureLines({ message, hint, lines }: Failure): string[] {
  return [
    `linuxkit-builder: ${message}`,
    ...(lines ?? []).map((line) => `  ${line}`),
    ...(hint === '' ? [] : [`  ${hint}`]),
  ];
}
