/** A finding that others have reported. */
import { faultWords, recognise } from '../config/recognise.ts';
import type { Finding } from '../host/chain.ts';
import { systemVersion } from '../system/host.ts';

/** What they have reported of it, as a line below it. */
export function reportedOf(finding: Finding): string[] {
  if (finding.kind !== 'bad') return [];
  return recognise({ said: [finding.what, finding.why], ...finding.seen, ...systemVersion() })
    .slice(0, 1)
    .map((fault) => `        ${faultWords(fault)}`);
}
