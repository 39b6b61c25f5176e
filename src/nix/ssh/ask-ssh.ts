/**
 * What a configuration of ssh comes to for a host, asked of ssh itself (`ssh -G`, ssh(1)). ssh runs the commands of `Match exec` to know it:
 * one that does not end holds up whoever asks, so a configuration that was long once is not asked again.
 */
import { run, succeeded } from '../../system/process/child.ts';

/** ssh's answer: its list; or why there is none. */
export type SshAnswer =
  | { readonly kind: 'listed'; readonly text: string }
  /** `words`: ssh's own. */
  | { readonly kind: 'refused'; readonly words: string }
  /** It was not done in time. */
  | { readonly kind: 'unfinished' }
  /** There is none, or it ended without a word: that tells nothing of the configuration. */
  | { readonly kind: 'silent' };

/** The text of an answer; nothing where there is none. */
export const textOf = (listed: SshAnswer): string => (listed.kind === 'listed' ? listed.text : '');

/** In all, for what does not end. */
export const askMs = 5_000;
/** For each that is asked when all of that is spent. */
const leastMs = 1_000;

interface Question {
  /** The command up to ssh itself, `sudo` included. */
  readonly ssh: readonly string[];
  /** What names the configuration: `-F FILE`, or nothing for the one that ssh finds by itself. */
  readonly file: readonly string[];
  /** Other options, and the host. */
  readonly argv: readonly string[];
}

/** Asks for one run of a command: what was answered is not asked again. */
export class SshAsker {
  readonly #signal: AbortSignal;
  readonly #answers = new Map<string, Promise<SshAnswer>>();
  readonly #unfinished = new Set<string>();
  #leftMs: number;

  constructor(signal: AbortSignal, { askMs: mostMs = askMs } = {}) {
    this.#signal = signal;
    this.#leftMs = mostMs;
  }

  ask(question: Question): Promise<SshAnswer> {
    const key = JSON.stringify(question);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#find(question);
    this.#answers.set(key, answer);
    return answer;
  }

  /** The files may be others now. What does not end stays known: to find that out again takes as long again. */
  forget(): void {
    this.#answers.clear();
  }

  async #find({ ssh, file, argv }: Question): Promise<SshAnswer> {
    // By whatever name ssh is called: as this user, or as root.
    const configuration = JSON.stringify([ssh.length > 1, file]);
    if (this.#unfinished.has(configuration)) return { kind: 'unfinished' };
    const [program = 'ssh', ...before] = ssh;
    const timeoutMs = Math.max(this.#leftMs, leastMs);
    const options = { timeoutMs, signal: this.#signal, group: before.length === 0 };
    const ran = await run(program, [...before, ...file, '-G', ...argv], options);
    if (ran.ended.kind === 'timed-out') {
      this.#leftMs -= timeoutMs;
      this.#unfinished.add(configuration);
      return { kind: 'unfinished' };
    }
    if (succeeded(ran)) return { kind: 'listed', text: ran.stdout };
    const words = ran.ended.kind === 'exited' ? ran.stderr.trim() : '';
    return words === '' ? { kind: 'silent' } : { kind: 'refused', words };
  }
}
