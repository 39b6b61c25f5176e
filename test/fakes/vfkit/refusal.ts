/** How a vfkit ends that does not come to run a guest: exit code 1, with a text. */
export interface Refusal {
  readonly kind: 'refused';
  /** The step of vfkit's order of work at which it ends: docs/testing.md lists them. */
  readonly step: number;
  readonly text: string;
}

export const refuse = (step: number, text: string): Refusal => ({ kind: 'refused', step, text });

/** Codes of VZErrorDomain (Code-Hex/vz, vzerror.go). */
export const vzCodes = {
  internal: 1,
  invalidConfiguration: 2,
  invalidState: 3,
  invalidTransition: 4,
} as const;

/** A framework's error in its one long form, which ends in a line with a brace. */
export const vzError = (code: keyof typeof vzCodes, reason: string): string =>
  `Error Domain=VZErrorDomain Code=${vzCodes[code]} Description="${reason}" UserInfo={
    "NSLocalizedFailure" = "${reason}";
    "NSLocalizedFailureReason" = "${reason}";
}`;
