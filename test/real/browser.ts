/** A real browser without a screen, spoken to in its own protocol (Chrome's, one JSON and a NUL each way on two pipes). */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { killProcess } from './command.ts';
import { removeTree } from '../remove-tree.ts';

const names = [
  'chromium-headless-shell',
  'chromium',
  'google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Where there is one; undefined elsewhere. */
export const browserProgram = (): string | undefined =>
  names.map((name) => tryProgram(name)).find((found) => found !== undefined);

export interface Look {
  readonly width: number;
  readonly scheme: 'light' | 'dark';
}

type Fields = Readonly<Record<string, unknown>>;

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #home = mkdtempSync(join(tmpdir(), 'browser-'));
  readonly #waiting = new Map<number, (reply: Fields) => void>();
  readonly #ended: Promise<void>;
  #events: Fields[] = [];
  #onEvent: () => void = () => undefined;
  #last = 0;

  constructor(program: string) {
    const argv = [
      '--headless',
      '--remote-debugging-pipe',
      '--no-first-run',
      '--disable-gpu',
      // Its own sandbox needs what containers and root do not have; it shows a page of ours.
      '--no-sandbox',
      '--disable-dev-shm-usage',
      `--user-data-dir=${this.#home}`,
    ];
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.#home };
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    this.#child = spawn(program, argv, { env, stdio: [...stdio], detached: true });
    const [, , , input, output] = this.#child.stdio;
    this.#input = input as Writable;
    this.#input.on('error', () => undefined);
    let text = '';
    (output as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0');
      text = parts.pop() ?? '';
      for (const part of parts) this.#take(JSON.parse(part) as Fields);
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  /** Shows a page, and returns what the expression says in it. Whatever the page complains about is thrown. */
  async look<T>(url: string, { width, scheme }: Look, expression: string): Promise<T> {
    const { targetId } = await this.#ask('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#ask('Target.attachToTarget', { targetId, flatten: true });
    const ask = (method: string, params: Fields = {}) => this.#ask(method, params, sessionId);
    this.#events = [];
    for (const domain of ['Page', 'Runtime', 'Log']) await ask(`${domain}.enable`);
    const metrics = { width, height: 800, deviceScaleFactor: 1, mobile: false };
    await ask('Emulation.setDeviceMetricsOverride', metrics);
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await ask('Emulation.setEmulatedMedia', { features });
    await ask('Page.navigate', { url });
    await this.#event('Page.loadEventFired');
    const { result, exceptionDetails } = await ask('Runtime.evaluate', {
      expression,
      returnByValue: true,
    });
    const complaints = this.#events.filter(({ method }) =>
      ['Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded'].includes(
        String(method),
      ),
    );
    await this.#ask('Target.closeTarget', { targetId });
    if (exceptionDetails !== undefined || complaints.length > 0)
      throw new Error(JSON.stringify([exceptionDetails, ...complaints]));
    return (result as { value: T }).value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid !== undefined) killProcess(-this.#child.pid);
    await this.#ended;
    removeTree(this.#home);
  }

  #take(message: Fields): void {
    const { id } = message;
    if (typeof id !== 'number') {
      this.#events.push(message);
      return this.#onEvent();
    }
    this.#waiting.get(id)?.(message);
    this.#waiting.delete(id);
  }

  async #ask(method: string, params: Fields, sessionId?: unknown): Promise<Fields> {
    const id = ++this.#last;
    const answered = new Promise<Fields>((resolve) => this.#waiting.set(id, resolve));
    this.#input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await Promise.race([answered, this.#ended.then(() => gone)]);
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result as Fields;
  }

  async #event(name: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onEvent = () => {
        if (this.#events.some(({ method }) => method === name)) resolve();
      };
      this.#onEvent();
    });
  }
}

const gone: Fields = { error: 'the browser has ended' };
