/** A builder whose VM program is the stand-in for HyperKit, and whose network is the strict peer or the real gvproxy. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'vitest';
import { fact } from './command.ts';
import { fetchGvproxy } from '../rig/gvproxy.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { BuilderRig, type RigOptions } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

/** What a running stand-in can be told: test/rig/hyperkit/main.ts, test/rig/vpnkit/main.ts. */
type Orders = Readonly<Record<string, unknown>>;

export class HyperkitRig implements Disposable {
  readonly #dir: string;
  readonly #path = process.env['PATH'] ?? '';
  readonly #programs: Readonly<Record<'hyperkit' | 'vpnkit', string>>;

  private constructor(dir: string, programs: HyperkitRig['tellable']) {
    this.#dir = dir;
    this.#programs = programs;
  }

  /** Makes the programs and puts them before all others. */
  static async create(): Promise<HyperkitRig> {
    const dir = mkdtempSync(join(tmpdir(), 'hk-'));
    reapAfterUs(dir);
    const gvproxy = await fetchGvproxy();
    const rig = new HyperkitRig(dir, {
      hyperkit: await makeProgram(dir, 'hyperkit'),
      vpnkit: await makeProgram(dir, 'vpnkit', gvproxy),
    });
    const path = [join(dir, 'bin'), dirname(gvproxy), rig.#path].join(delimiter);
    process.env['PATH'] = path;
    return rig;
  }

  get tellable(): Readonly<Record<'hyperkit' | 'vpnkit', string>> {
    return this.#programs;
  }

  /** A builder that was configured for it; nothing runs yet. */
  builder(
    context: TestContext,
    { vm = 'hyperkit', ...wanted }: { vm?: string; network?: string | undefined } = {},
    options: RigOptions = {},
  ): Promise<BuilderRig> {
    for (const program of Object.values(this.#programs))
      rmSync(`${program}.orders`, { force: true });
    const network = 'network' in wanted ? wanted.network : 'vpnkit';
    const configure = ['--vm', vm, ...(network === undefined ? [] : ['--network', network])];
    return BuilderRig.create({ context, configure, ...options });
  }

  /** Orders for a program: vpnkit reads them when it starts, hyperkit while it runs, which must not find half of them. */
  tell(name: 'hyperkit' | 'vpnkit', orders: Orders): void {
    const path = `${this.#programs[name]}.orders`;
    writeFileSync(`${path}.new`, JSON.stringify(orders));
    renameSync(`${path}.new`, path);
  }

  [Symbol.dispose](): void {
    process.env['PATH'] = this.#path;
    removeTree(this.#dir);
  }
}

/** The first failure that the daemon told. */
export const losses = (rig: BuilderRig) =>
  rig.log('phase').filter((line) => line['failure'] !== undefined);

/** The first one, or the first after so many: an emulated guest may have crashed on its way to be ready. */
export const firstFailure = async (rig: BuilderRig, after = 0) =>
  fact(
    'a failure',
    () =>
      losses(rig)[after]?.['failure'] as
        { kind: string; message: string; hint: string } | undefined,
  );

/** That its daemon has seen a stage of the boot. */
export const booting = async (rig: BuilderRig, stage = 'init') =>
  fact(`stage ${stage}`, () => rig.log('seen').some(({ name }) => name === stage));
