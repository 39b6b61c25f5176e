/** One command of the program, in a builder's directory of its own, and beside a daemon that answers as it is told; no time passes. */
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { openControl, type Commands } from '../../src/supervisor/daemon/control.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { silent } from '../../src/system/log.ts';
import { calm } from '../fakes/commands.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { shownAs } from './tell.ts';
import { removeTree } from '../remove-tree.ts';

export interface Given {
  /** Undefined: nothing has been set up. */
  readonly config?: string | undefined;
  /** Files of the state directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** What its daemon answers; without any there is no daemon. */
  readonly answers?: Partial<Commands>;
  readonly status?: Partial<Status>;
  readonly env?: NodeJS.ProcessEnv;
}

/** A daemon that is ready, unless something else is said of it. */
export const ready: Status = {
  version: 1,
  phase: 'ready',
  since: '2026-01-02T03:03:05.000Z',
  sentence: 'Ready: it can build.',
  daemon: { pid: 4711, started: '', boot: '', program: 'node' },
};

/** Short waits are over at once, and the clock goes on by them; longer ones are limits, which come when the short ones add up to them. */
export class HastyClock extends FakeClock {
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return ms > 2_000
      ? super.sleep(ms, signal)
      : this.advance(ms).then(() => signal?.throwIfAborted());
  }
}

/** The lines that a terminal shows, those for errors among them. */
export async function linesOf(argv: readonly string[], given: Given = {}): Promise<string[]> {
  const tree = realpathSync(mkdtempSync(join(tmpdir(), 'messages-')));
  const layout = layoutOf(shownAs(join(tree, 'builder'), '/builder'));
  shownAs(tree, '/tree');
  mkdirSync(layout.state, { recursive: true, mode: 0o700 });
  const { config = '{}', files = {}, answers, status, env } = given;
  const all = {
    ...('config' in given && given.config === undefined ? {} : { 'config.json': config }),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(layout.root, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(layout.root, name), text, { mode: 0o600 });
  }
  const todo = { ...calm, status: () => ({ ...ready, ...status }), ...answers };
  const control =
    answers === undefined && status === undefined
      ? undefined
      : await openControl(layout, todo, silent);
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  try {
    await run(
      argv,
      {
        env: { LINUXKIT_BUILDER_TREE: tree, LINUXKIT_BUILDER_DIR: layout.root, ...env },
        home: tree,
        assets: tree,
        isTTY: false,
        clock: new HastyClock(),
        signal: new AbortController().signal,
        onStopSignal: () => undefined,
        out: say,
        err: say,
      },
      '0.1.0',
    );
    return lines;
  } finally {
    control?.close();
    removeTree(tree);
  }
}
