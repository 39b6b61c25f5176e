/** Checks of the files by which your ssh, root's and Nix find the guest: as configure would write them. */
import { dirname, join } from 'node:path';
import { readIdentity } from '../guest/identity/identity.ts';
import type { CheckVerdict } from './check-runner.ts';
import { rootRequest, userNeeds, type Builder } from '../setup/builder-files.ts';
import { knownProxy } from '../nix/ssh/door-helper.ts';
import type { FileChange } from '../host/file-change.ts';
import { machinesKeeper } from '../nix/variant.ts';
import { rootNeeds } from '../setup/root/root-files.ts';
import { leadSameWay } from '../nix/ssh/stanza.ts';
import { isAsBefore, rootDriftOf } from '../setup/root/root-drift.ts';
import { openedByLists } from '../system/files/access-lists.ts';
import { readIfThere } from '../system/files/files.ts';
import type { DoctorFacts } from './facts.ts';
import { listedVerdict } from './host/check-state.ts';
import { closeToOthers, isOpenToOthers, openToOthers } from '../nix/warnings.ts';
import {
  changedByHand,
  leadsToGuest,
  notAsConfigured,
  notTakenIn,
  ofThePreviousRelease,
  olderStanza,
  sameAsYours,
  whatNixUses,
} from './verdicts/file-verdicts.ts';
import { toldBy } from '../setup/root/report-drift.ts';
import { ownerHere } from '../host/installed.ts';
import { rootSsh, userSsh } from '../nix/ssh/user-ssh.ts';

/** What configure would write. */
async function builderOf(facts: DoctorFacts): Promise<Builder> {
  const { layout, systemPaths, config, nix } = facts;
  const { host } = readIdentity(layout);
  return {
    layout,
    systemPaths,
    config: config(),
    proxy: knownProxy(config(), systemPaths.roots, readIfThere(layout.sshConfig) ?? ''),
    settingsText: readIfThere(layout.config) ?? '',
    hostPublicKey: host.public,
    owner: ownerHere(layout.root),
    service: [],
    keeper: machinesKeeper(await nix()),
    ...(await userSsh(facts)).known,
  };
}

/** Whether your ssh finds the guest, by files that are as configure would write them. */
export async function yourFiles(facts: DoctorFacts): Promise<CheckVerdict> {
  const builder = await builderOf(facts);
  const needs = userNeeds(builder);
  const changes = needs.changes.filter((change) => !isHarmless(change, facts));
  const [first] = needs.byHand;
  if (first !== undefined) return changedByHand(first);
  const config = join(facts.systemPaths.home, '.ssh/config');
  if (isOpenToOthers(config))
    return {
      kind: 'bad',
      code: 'ssh-config-open',
      what: openToOthers(config),
      why: '',
      remedy: closeToOthers(config),
    };
  if (changes.length === 0 && builder.takenIn === false)
    return notTakenIn(facts.layout.sshConfig, facts.program('ssh'));
  if (changes.length === 0) return leadsToGuest;
  if (changes.every((change) => isOlderStanza(change, facts)))
    return olderStanza(facts.layout.sshConfig);
  return notAsConfigured(changes.map(({ wanted }) => wanted.path));
}

/**
 * A file on which nothing depends: a list of builders that the previous release did not write, or an example that another release worded
 * differently.
 */
const isHarmless = ({ wanted, before }: FileChange, { layout }: DoctorFacts): boolean =>
  before === undefined ? wanted.path === layout.machines : wanted.path === layout.example;

/** What another version of this program wrote for the same settings: it leads to the same place. */
const isOlderStanza = ({ wanted, before, after }: FileChange, { layout }: DoctorFacts): boolean =>
  wanted.path === layout.sshConfig &&
  before !== undefined &&
  leadSameWay(before.bytes.toString('utf8'), after.toString('utf8'));

/** The same of root's, as far as whoever asks may read them. */
export async function rootsFiles(facts: DoctorFacts): Promise<CheckVerdict> {
  const ssh = await rootSsh({ ...facts, sudo: true });
  const needs = rootNeeds({ ...rootRequest(await builderOf(facts)), ...ssh.known });
  const drift = rootDriftOf(needs);
  const [first] = needs.byHand;
  if (drift !== undefined) {
    const { sentence, remedy } = toldBy(drift);
    const why = whatNixUses(drift.files);
    return { kind: 'bad', code: 'root-drift', what: sentence, why, remedy };
  }
  if (first !== undefined) return changedByHand(first);
  const { nix, directory, ssh: config } = facts.systemPaths.roots;
  const [listed] = await openedByLists([nix, directory, dirname(config)], 'change');
  if (listed !== undefined) return listedVerdict(listed, 'root');
  return isAsBefore(needs) ? ofThePreviousRelease : sameAsYours(needs.request.door);
}
