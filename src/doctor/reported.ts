/** A finding that others have reported. */
import { describeFault, recognise } from '../domain/recognise.ts';
import type { Finding } from './check-runner.ts';
import { systemVersion } from '../system/host/host.ts';

/** What they have reported of it, as a line below it. */
export function reportedOf(finding: Finding): string[] {
  if (finding.kind !== 'bad') return [];
  return recognise({ said: [finding.what, finding.why], ...finding.seen, ...systemVersion() })
    .slice(0, 1)
    .map((fault) => `        ${describeFault(fault)}`);
}
