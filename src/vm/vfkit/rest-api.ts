/** vfkit's REST interface on a Unix socket: the state of its VM, and wishes for another one (pkg/rest/vf/vm_config.go). */
import { refusal } from '../../system/files/reasons.ts';
import { request } from 'node:http';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { quoted } from '../../system/plain-text.ts';
import { advice, asSentence, ours } from '../../system/advice.ts';

/** Without the prefix that each has. `Unknown`: one that a newer vfkit has. */
const vmStates = [
  ...(['Stopped', 'Running', 'Paused', 'Error', 'Starting', 'Pausing', 'Resuming'] as const),
  ...(['Stopping', 'Saving', 'Restoring'] as const),
] as const;
/** As vfkit says it; `Unknown` for any other word. */
export type VmState = (typeof vmStates)[number] | 'Unknown';

interface RestOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Each question is a line of vfkit's output: it is not asked often. */
export class RestApi {
  readonly #options: RestOptions;

  constructor(options: RestOptions) {
    this.#options = options;
  }

  async state(signal?: AbortSignal): Promise<VmState> {
    const { state } = fieldsOf(await this.#ask('GET', '/vm/state', undefined, signal));
    return vmStates.find((name) => state === `VirtualMachineState${name}`) ?? 'Unknown';
  }

  /** Resolves when vfkit has taken it, which is not yet done. Failed `vfkit-refused`, `vfkit-silent`, `vfkit-away`. */
  async wish(state: 'Stop' | 'HardStop' | 'Resume'): Promise<void> {
    await this.#ask('POST', '/vm/state', { state });
  }

  inspect(): Promise<unknown> {
    return this.#ask('GET', '/vm/inspect');
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    signal = this.#options.signal,
  ): Promise<unknown> {
    const { path: socketPath, clock } = this.#options;
    const late = () => vfkitSilent(path);
    const work = (inTime: AbortSignal) => exchange({ socketPath, method, path }, body, inTime);
    const { status, text } = await within(work, { clock, timeoutMs, signal, late });
    // 202 where its documentation says 200.
    if (status < 200 || status > 299) throw new Failed(vfkitRefused(status, text));
    try {
      return text === '' ? {} : (JSON.parse(text) as unknown);
    } catch {
      throw new Failed(vfkitRefused(status, text));
    }
  }
}

const timeoutMs = 5_000;
/** What it says of its VM is some kilobytes. */
const mostBytes = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly text: string;
}

function exchange(
  where: { readonly socketPath: string; readonly method: string; readonly path: string },
  body: unknown,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A connection for each: one that is kept would end with an error of its own at vfkit's end.
    const asked = request({ ...where, signal, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > mostBytes) answer.destroy(new Failed(vfkitRefused(undefined, endless)));
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.once('error', fail);
    });
    asked.once('error', fail).end(body === undefined ? undefined : JSON.stringify(body));
    function fail(error: Error): void {
      const isOurs = error instanceof Failed || signal.aborted;
      reject(isOurs ? error : new Failed(vfkitAway(refusal(error)), { cause: error }));
    }
  });
}

export const endless = 'its answer does not end';
const seeLogs = advice`See its output: ${ours('logs')}`;

/** `path`: of the request. */
export const vfkitSilent = (path: string): Failure => ({
  kind: 'vfkit-silent',
  message: `vfkit did not answer ${path} within ${timeoutMs / 1000} s.`,
  hint: advice`Its process is stopped (SIGSTOP), or has stopped responding. Run: ${ours('restart')}`,
  exit: Exit.unavailable,
  unanswered: true,
});

/** `text`: the body of its answer. */
export const vfkitRefused = (status: number | undefined, text: string): Failure => ({
  kind: 'vfkit-refused',
  message: `vfkit refused a request${status === undefined ? '' : ` (${status})`}: ${asSentence(quoted(text.trim()) ?? 'no reason given')}`,
  hint: seeLogs,
  exit: Exit.unavailable,
});

/** `why`: the system's words. */
export const vfkitAway = (why: string): Failure => ({
  kind: 'vfkit-away',
  message: `The connection to vfkit failed: ${asSentence(quoted(why) ?? 'it was closed')}`,
  hint: seeLogs,
  exit: Exit.unavailable,
  unanswered: true,
});
