/** A finding that others have reported. */
import { describeFault, recognise } from '../domain/recognise.ts';
import type { Finding } from './check-runner.ts';
import { advice, plainly, type Text } from '../system/advice.ts';
import { systemVersion } from '../system/host/host.ts';

/** What they have reported of it, as a line below it. */
export function reportedOf(finding: Finding): Text[] {
  if (finding.kind !== 'bad') return [];
  return recognise({
    said: [plainly(finding.what), plainly(finding.why)],
    ...finding.seen,
    ...systemVersion(),
  })
    .slice(0, 1)
    .map((fault) => advice`        ${describeFault(fault)}`);
}
