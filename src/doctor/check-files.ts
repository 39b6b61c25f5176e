/** Checks of the files by which your ssh, root's and Nix find the guest: as configure would write them. */
import { join } from 'node:path';
import { readIdentity } from '../guest/identity/identity.ts';
import type { Verdict } from './check-runner.ts';
import { rootRequest, userNeeds, type Builder } from '../setup/builder-files.ts';
import { knownProxy } from '../nix/ssh/door-helper.ts';
import type { FileChange } from '../host/file-change.ts';
import { machinesKeeper } from '../nix/variant.ts';
import { rootNeeds } from '../setup/root/root-files.ts';
import { alias, leadSameWay } from '../nix/ssh/stanza.ts';
import { isAsBefore, rootDriftOf } from '../setup/root/root-drift.ts';
import { readIfThere } from '../system/files/files.ts';
import type { DoctorFacts } from './facts.ts';
import { findNix } from '../nix/this-nix.ts';
import { isOpenToOthers, openToOthers } from '../nix/warnings.ts';
import { ownerOf, toldBy } from '../setup/root/report-drift.ts';
import { rootSsh, userSsh } from '../nix/ssh/user-ssh.ts';

const configure = 'linuxkit-builder configure';

/** What configure would write. */
async function builderOf(facts: DoctorFacts): Promise<Builder> {
  const { layout, places, config, context } = facts;
  const { host } = readIdentity(layout);
  return {
    layout,
    places,
    config: config(),
    proxy: knownProxy(config(), places, readIfThere(layout.sshConfig) ?? ''),
    settingsText: readIfThere(layout.config) ?? '',
    hostPublicKey: host.public,
    owner: ownerOf(layout.root),
    service: [],
    keeper: machinesKeeper(await findNix(context)),
    ...(await userSsh(facts)).known,
  };
}

export async function yourFiles(facts: DoctorFacts): Promise<Verdict> {
  const builder = await builderOf(facts);
  const needs = userNeeds(builder);
  // The release before made none, and nothing rests on it.
  const isNew = ({ wanted, before }: FileChange) =>
    wanted.path === facts.layout.machines && before === undefined;
  const changes = needs.changes.filter((change) => !isNew(change));
  const [first] = needs.byHand;
  if (first !== undefined)
    return {
      kind: 'bad',
      what: `${first.path} ${first.why}, and does not include the builder.`,
      why: 'configure does not change such a file.',
      remedy: first.text,
    };
  const fact = `ssh ${alias} leads to the guest`;
  const config = join(facts.places.home, '.ssh/config');
  if (isOpenToOthers(config))
    return { kind: 'bad', what: openToOthers(config), why: '', remedy: `chmod go-w ${config}` };
  if (changes.length === 0 && builder.takenIn === false) return notTakenIn(facts);
  if (changes.length === 0) return { kind: 'good', fact };
  if (changes.every((change) => isOlderStanza(change, facts)))
    return {
      kind: 'note',
      fact,
      why: `${facts.layout.sshConfig} was written by another version of this program, or before your ssh configuration changed. To update it: ${configure}`,
    };
  return {
    kind: 'bad',
    what: `Not as configure would write ${changes.length === 1 ? 'it' : 'them'}: ${changes.map(({ wanted }) => wanted.path).join(', ')}.`,
    why: 'The settings have changed since, or somebody has edited these files.',
    remedy: configure,
  };
}

const notTakenIn = ({ layout, program }: DoctorFacts): Verdict => ({
  kind: 'bad',
  what: `ssh does not use ${layout.sshConfig}, although your ssh configuration includes it.`,
  why: `To see what ssh uses: ${program('ssh')} -G ${alias}`,
  remedy:
    'Remove the lines that override it, or the whole linuxkit-builder block, then run: linuxkit-builder configure',
});

/** What another version of this program wrote for the same settings: it leads to the same place. */
const isOlderStanza = ({ wanted, before, after }: FileChange, { layout }: DoctorFacts): boolean =>
  wanted.path === layout.sshConfig &&
  before !== undefined &&
  leadSameWay(before.bytes.toString('utf8'), after.toString('utf8'));

export async function rootsFiles(facts: DoctorFacts): Promise<Verdict> {
  const ssh = await rootSsh({ ...facts, sudo: true });
  const needs = rootNeeds({ ...rootRequest(await builderOf(facts)), ...ssh.known });
  const drift = rootDriftOf(needs);
  const [first] = needs.byHand;
  if (drift !== undefined) {
    const { sentence, remedy } = toldBy(drift);
    const why = `nix-daemon runs as root and uses ${drift.files.join(', ')}.`;
    return { kind: 'bad', what: sentence, why, remedy };
  }
  if (first !== undefined)
    return {
      kind: 'bad',
      what: `${first.path} ${first.why}, and does not include the builder.`,
      why: 'configure does not change such a file.',
      remedy: first.text,
    };
  const why = `To update them, and to give root a key of its own: ${configure}`;
  return isAsBefore(needs)
    ? { kind: 'note', fact: 'as written by the previous release', why }
    : {
        kind: 'good',
        fact: `same ${needs.request.door === 'tcp' ? 'port' : 'socket'}, key and machines line as yours`,
      };
}
