/** What launchctl says, as data. Its text is "not API" by its own word, so it is read leniently. */

/** One call's end. `code` is undefined when it could not be run. */
export interface LaunchctlReply {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a reply means, whatever the command. Codes are errno's, or launchd's own above 100. */
export type Meaning =
  | 'ok'
  /** No such job. */
  | 'absent'
  /** No such session: nobody is logged in on the screen, or the domain takes no jobs. */
  | 'no-domain'
  /** This launchctl is from before 10.10 and does not know the command. */
  | 'old'
  | 'disabled'
  /** Loaded already, or still leaving. */
  | 'already'
  /** The file's owner, mode or content is not to launchd's liking. */
  | 'bad-file'
  /** "5: Input/output error": loaded already, still leaving, disabled, or a bad file; launchd does not say which. */
  | 'io'
  /** launchctl itself is missing. */
  | 'missing'
  | 'other';

/** By its exit code where that tells, else by its words. */
export function meaningOf({ code, stdout, stderr }: LaunchctlReply): Meaning {
  if (code === 0) return 'ok';
  if (code === undefined) return 'missing';
  const said = `${stderr}\n${stdout}`;
  if (/unrecognized (target|subcommand)|unknown subcommand/i.test(said)) return 'old';
  if (/domain does not support|could not find domain/i.test(said)) return 'no-domain';
  if (/could not find (specified )?service|no such process/i.test(said)) return 'absent';
  if (/service is disabled/i.test(said)) return 'disabled';
  if (/bad ownership|dubious (permissions|ownership)|invalid property list/i.test(said))
    return 'bad-file';
  return byCode[code] ?? 'other';
}

const byCode: Readonly<Record<number, Meaning>> = {
  3: 'absent',
  5: 'io',
  17: 'already',
  36: 'ok',
  37: 'already',
  112: 'no-domain',
  113: 'absent',
  119: 'disabled',
  122: 'bad-file',
  125: 'no-domain',
};

/** Our job as launchd sees it. */
export type JobState =
  | { readonly loaded: false }
  | {
      readonly loaded: true;
      readonly running: boolean;
      /** It ended and launchd is about to start it again. */
      readonly returning: boolean;
      readonly pid?: number;
      /** The exit code of its last run. */
      readonly lastExit?: number;
      /** The signal that ended its last run. */
      readonly lastSignal?: string;
      readonly runs?: number;
    };

/** `print DOMAIN/LABEL`. */
export function parsePrint(text: string): JobState {
  const field = (name: string) =>
    new RegExp(`^\\s*${name} = (.*?)\\s*$`, 'm').exec(text)?.[1] ?? undefined;
  const state = field('state') ?? '';
  const pid = number(field('pid'));
  const lastExit = number(field('last exit code'));
  const lastSignal = field('last terminating signal');
  const runs = number(field('runs'));
  return {
    loaded: true,
    running: pid !== undefined || /^(running|SIGTERMed|SIGKILLed)$/.test(state),
    returning: /spawn scheduled/.test(state),
    ...(pid === undefined ? {} : { pid }),
    ...(lastExit === undefined ? {} : { lastExit }),
    ...(lastSignal === undefined ? {} : { lastSignal }),
    ...(runs === undefined ? {} : { runs }),
  };
}

/** `list LABEL`, from before there was `print`. */
export function parseList(text: string): JobState {
  const pid = number(/"PID" = (\d+);/.exec(text)?.[1]);
  const status = number(/"LastExitStatus" = (\d+);/.exec(text)?.[1]);
  return {
    loaded: true,
    running: pid !== undefined,
    returning: false,
    ...(pid === undefined ? {} : { pid }),
    // wait(2)'s word: the exit code is its second byte.
    ...(status === undefined ? {} : { lastExit: status >> 8 }),
  };
}

const number = (text: string | undefined): number | undefined => {
  const digits = /^\d+/.exec(text ?? '')?.[0];
  return digits === undefined ? undefined : Number(digits);
};
