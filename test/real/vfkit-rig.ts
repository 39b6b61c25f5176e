/** A builder whose VM program is the stand-in for vfkit, and whose network is Debian's gvproxy behind a vfkit mode. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'vitest';
import type { Switches } from '../fakes/vfkit/switches.ts';
import { fetchGvproxy } from '../rig/gvproxy.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { BuilderRig, type RigOptions } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

export class VfkitRig implements Disposable {
  readonly #dir: string;
  readonly #path = process.env['PATH'] ?? '';
  readonly #vfkit: string;

  private constructor(dir: string, vfkit: string) {
    this.#dir = dir;
    this.#vfkit = vfkit;
  }

  /** Makes the programs and puts them before all others. */
  static async create(): Promise<VfkitRig> {
    const dir = mkdtempSync(join(tmpdir(), 'vf-'));
    reapAfterUs(dir);
    const rig = new VfkitRig(dir, await makeProgram(dir, 'vfkit'));
    await makeProgram(dir, 'gvproxy', await fetchGvproxy());
    process.env['PATH'] = [join(dir, 'bin'), rig.#path].join(delimiter);
    return rig;
  }

  /** Which vfkit it is from its next start on, and its answers to what nobody is sure of. */
  switch(switches: Switches): void {
    writeFileSync(`${this.#vfkit}.switches`, JSON.stringify(switches));
  }

  /** This Node, which takes its machine for one of that architecture: for a builder's own program, since all that it runs is of this one. */
  nodeOf(arch: 'arm64' | 'x64'): string {
    const path = join(this.#dir, `node-${arch}`);
    const preload = join(this.#dir, `${arch}.cjs`);
    writeFileSync(preload, `Object.defineProperty(process, 'arch', { value: '${arch}' });\n`);
    writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' --require '${preload}' "$@"\n`, {
      mode: 0o755,
    });
    return path;
  }

  /** A builder that was configured for it; nothing runs yet. */
  builder(context: TestContext, options: RigOptions = {}): Promise<BuilderRig> {
    return BuilderRig.create({ context, configure: ['--vm', 'vfkit'], ...options });
  }

  [Symbol.dispose](): void {
    process.env['PATH'] = this.#path;
    removeTree(this.#dir);
  }
}
