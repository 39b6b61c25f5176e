import { advice, type Text } from '../system/advice.ts';
import type { Failure } from '../system/failure.ts';

/** A failure for a person: what happened, the facts, what to do. */
export function failureLines({ message, hint, lines, quotes }: Failure): Text[] {
  return [
    `linuxkit-builder: ${message}`,
    ...(lines ?? []).map((line) => advice`  ${line}`),
    ...(quotes === undefined ? [] : [`  ${quotes}`]),
    ...(hint === '' ? [] : [advice`  ${hint}`]),
  ];
}
