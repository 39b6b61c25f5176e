// The tests that were skipped, by their reasons (test/needs.ts). Of use to sums.js, for many runs, and to vitest itself, for one: it
// names this file as a reporter (vitest.config.ts).

/** For one that names none: what runs before it has failed. */
const unnamed = 'not reached: what has to run before them failed';
const most = 20;

/** The lines that say it: how many, and why, the most frequent reason first. None where nothing was skipped. */
export function skippedLines(reasons) {
  if (reasons.length === 0) return [];
  const counts = new Map();
  for (const reason of reasons.map((given) => given ?? unnamed))
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const rows = [...counts].sort(([, one], [, other]) => other - one);
  const left = rows.slice(most - 1).reduce((sum, [, count]) => sum + count, 0);
  const shown = rows.length <= most ? rows : [...rows.slice(0, most - 1), ['other reasons', left]];
  return ['Skipped:', ...shown.map(([reason, count]) => `${String(count).padStart(6)}  ${reason}`)];
}

export default class SkippedReporter {
  #context;

  onInit(context) {
    this.#context = context;
  }

  onTestRunEnd(modules) {
    // Whoever asks for some tests by their titles knows why the others are skipped.
    if (this.#context.config.testNamePattern !== undefined) return;
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')]);
    for (const line of skippedLines(skipped.map((test) => test.meta().skipped)))
      this.#context.logger.log(line);
  }
}
