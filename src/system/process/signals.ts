/**
 * SIGTERM, SIGINT and SIGHUP, caught from the program's first moment: main imports this before anything else, so that a
 * stop during start-up is remembered and not a death.
 */
export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';
type Listener = (name: StopSignal) => void;

const early: StopSignal[] = [];
let listener: Listener | undefined;

for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(name, () => {
    if (listener === undefined) early.push(name);
    else listener(name);
  });

// A write beyond a limit on the size of files (ulimit -f) fails with EFBIG, which is told; by default the signal ends us before that.
process.on('SIGXFSZ', () => undefined);

/** Whoever is told from now on, the only one; what came before is told at once. */
export function onStopSignal(next: Listener): void {
  listener = next;
  for (const name of early.splice(0)) next(name);
}
