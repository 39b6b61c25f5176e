/** Tells a person at a desktop that the daemon has given up: nobody looks at a builder that works. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../system/process/child.ts';
import { plainText } from '../../system/plain-text.ts';
import { tryProgram } from '../../system/process/find-program.ts';

/** What is run for one notification. */
export interface Notice {
  readonly program: string;
  readonly argv: readonly string[];
}

type Env = Readonly<NodeJS.ProcessEnv>;

/** How it is shown here; undefined where no desktop is to be seen. The text is given as an argument, never as a part of a script. */
export function noticeOf(text: string, env: Env, platform: NodeJS.Platform): Notice | undefined {
  const title = 'linuxkit-builder';
  if (platform === 'darwin') {
    const program = tryProgram('osascript', env['PATH']);
    const script = [
      'on run argv',
      'display notification (item 2 of argv) with title (item 1 of argv)',
    ];
    const lines = [...script, 'end run'].flatMap((line) => ['-e', line]);
    return program === undefined ? undefined : { program, argv: [...lines, title, text] };
  }
  const program = hasDesktop(env) ? tryProgram('notify-send', env['PATH']) : undefined;
  const argv = ['--urgency=critical', `--app-name=${title}`, '--', title, text];
  return program === undefined ? undefined : { program, argv };
}

/** A user's message bus, by which notifications go (org.freedesktop.Notifications). */
const hasDesktop = (env: Env): boolean =>
  env['DBUS_SESSION_BUS_ADDRESS'] !== undefined ||
  (env['XDG_RUNTIME_DIR']?.startsWith('/') === true &&
    existsSync(join(env['XDG_RUNTIME_DIR'], 'bus')));

interface NotifierOptions {
  readonly env: Env;
  /** As the settings say now. */
  readonly isWanted: () => boolean;
  readonly platform?: NodeJS.Platform;
  readonly show?: (notice: Notice) => void;
}

/** One notification for each time that the daemon gives up. To be called with each status. */
export function notifier({
  env,
  isWanted,
  platform = process.platform,
  show = showNotice,
}: NotifierOptions): (status: { readonly phase: string; readonly sentence: string }) => void {
  let hasGivenUp = false;
  return ({ phase, sentence }) => {
    const isNews = phase === 'failed' && !hasGivenUp;
    hasGivenUp = phase === 'failed';
    const notice = isNews && isWanted() ? noticeOf(plainText(sentence), env, platform) : undefined;
    if (notice !== undefined) show(notice);
  };
}

/** Whether it was seen or not: the log and `status` say the same. */
const showNotice = ({ program, argv }: Notice): void =>
  void run(program, argv, { timeoutMs: 10_000 });
