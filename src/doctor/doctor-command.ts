/** `doctor`, as it is called and as it answers. */
import type { Command } from 'commander';
import type { Finding } from './check-runner.ts';
import type { DoctorFacts } from './facts.ts';
import { advice, type Text, textLines } from '../system/advice.ts';
import { Exit } from '../system/failure.ts';
import { fileToWrite } from '../command/option-values.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../command/context.ts';

interface DoctorOptions extends DirectoryOption {
  readonly json?: boolean;
  readonly fix?: boolean;
  readonly faults?: boolean;
  readonly report?: string;
}

/** `doctor`: everything between you and a finished build, in the order in which it rests on each other. */
export function doctorCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('--json', 'print the findings as JSON')
    .option('--faults', 'print the list of known problems as JSON')
    .option(
      '--report <file>',
      'also write everything that a bug report needs, without secrets, to this file',
      fileToWrite,
    )
    .option('--fix', 'fix what can be fixed without losing anything')
    .action(async (options: DoctorOptions) => {
      if (options.faults === true) {
        const { knownFaults } = await import('../domain/known-faults.ts');
        return context.out(JSON.stringify(knownFaults, undefined, 2));
      }
      const layout = layoutFor(options, context, 'mend');
      const display = options.json === true ? noDisplay : await displayFor(context);
      const { doctorFacts } = await import('./facts.ts');
      const facts = doctorFacts(layout, context);
      const findings = await findAll(facts, { fix: options.fix === true, display });
      display.end();
      context.out(options.json === true ? findingsJson(findings) : summary(findings));
      if (options.report !== undefined) {
        const { writeReport } = await import('./report/report.ts');
        const found = findings.flatMap(findingLines);
        const input = { ...facts, version: context.version ?? 'unknown', found };
        context.err(reportWritten(await writeReport(options.report, input)));
      }
      if (findings.some(({ kind }) => kind === 'bad')) context.exit(Exit.general);
    });
}

/** Runs all checks, in the order in which they rest on each other. */
async function findAll(
  facts: DoctorFacts,
  { fix, display }: { readonly fix: boolean; readonly display: Display },
): Promise<readonly Finding[]> {
  const { runChecks } = await import('./check-runner.ts');
  const { machineChecks } = await import('./host/check-host.ts');
  const { lifeChecks } = await import('./check-life.ts');
  const { nixChecks } = await import('./check-nix.ts');
  const checks = [...machineChecks(facts), ...lifeChecks(facts), ...nixChecks(facts)];
  return runChecks(checks, { fix, signal: facts.context.signal, ...display });
}

/** Shows the findings to a person while they come. */
interface Display {
  readonly onBegin: (name: string) => void;
  readonly onFinding: (finding: Finding) => void;
  readonly end: () => void;
}

/** For a program, which reads all of them at the end. */
const noDisplay: Display = {
  onBegin: () => undefined,
  onFinding: () => undefined,
  end: () => undefined,
};

/** Checks that were skipped in a row are told together, before the next one that was not. */
async function displayFor(context: CliContext): Promise<Display> {
  const { reportedOf } = await import('./reported.ts');
  let skipped: Skipped[] = [];
  const say = (lines: readonly Text[]) => {
    for (const line of lines) context.out(line);
  };
  const end = () => {
    say(skippedLines(skipped));
    skipped = [];
  };
  return {
    onBegin: (name) => {
      if (context.isTTY) context.err(`... ${name}`);
    },
    onFinding: (finding) => {
      if (finding.kind === 'skipped') return void skipped.push(finding);
      end();
      say(ownersLines(finding));
      say(reportedOf(finding));
    },
    end,
  };
}

/** All findings for programs, which may keep them: without what repeats a person's files. */
const findingsJson = (findings: readonly Finding[]): string =>
  JSON.stringify({
    version: 1,
    findings: findings.map((finding) => ({ ...finding, quotes: undefined })),
  });

/** One finding for anybody: without what repeats a person's files. */
export const findingLines = (finding: Finding): Text[] => linesOf(finding, false);

/** One finding for the person whose files they are. */
const ownersLines = (finding: Finding): Text[] => linesOf(finding, true);

function linesOf(finding: Finding, isOwners: boolean): Text[] {
  const head = (word: string, text: Text) => advice`${word.padEnd(5)} ${finding.name}: ${text}`;
  const more = (label: string, text: Text) =>
    text === '' ? [] : textLines(text).map((line) => advice`        ${label}${line}`);
  switch (finding.kind) {
    case 'good':
      return [head(finding.fixed === true ? 'fixed' : 'ok', finding.fact)];
    case 'note':
      return [head('note', finding.fact), ...more('', finding.why)];
    case 'bad':
      return [
        head('BAD', finding.what),
        ...more('', finding.why),
        ...more('', isOwners ? (finding.quotes ?? '') : ''),
        ...more('-> ', finding.remedy),
      ];
    case 'not-asked':
      return [head('-', finding.why)];
    case 'skipped':
      return [];
  }
}

/** Those that depend on one that failed, a line for each that did. */
export function skippedLines(skipped: readonly Skipped[]): string[] {
  const causes = [...new Set(skipped.map(({ because }) => because))];
  return causes.map((cause) => {
    const names = skipped.filter(({ because }) => because === cause).map(({ name }) => name);
    return `skip  ${names.join(', ')} (depends on: ${cause})`;
  });
}

type Skipped = Extract<Finding, { readonly kind: 'skipped' }>;

/** The last line: what to mend, in the order in which it rests on each other. */
export function summary(findings: readonly Finding[]): string {
  const bad = findings.filter(({ kind }) => kind === 'bad').map(({ name }) => name);
  if (bad.length > 0) return `Fix these, in this order: ${bad.join(', ')}.`;
  const less = findings.flatMap((each) => ('isLess' in each ? [each.name] : []));
  return less.length === 0
    ? 'No problems found.'
    : `Nothing to fix on this machine, but see the note on: ${less.join(', ')}.`;
}

/** A report is public once it is sent, and only its owner can tell what is secret in it. */
export const reportWritten = (path: string): string => `Wrote ${path}. Read it before you send it.`;
