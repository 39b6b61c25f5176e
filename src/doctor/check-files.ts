/** Checks of the files by which your ssh, root's and Nix find the guest: as configure would write them. */
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
      what: `${first.path} ${first.why}, and does not lead to the guest.`,
      why: 'It is not ours to change.',
      remedy: first.text,
    };
  const fact = `ssh ${alias} leads to the guest`;
  if (changes.length === 0 && builder.takenIn === false) return notTakenIn(facts);
  if (changes.length === 0) return { kind: 'good', fact };
  if (changes.every((change) => isOlderStanza(change, facts)))
    return {
      kind: 'note',
      fact,
      why: `${facts.layout.sshConfig} is of another version of this program, or of before an option that is set for every host: ${configure} writes it anew.`,
    };
  return {
    kind: 'bad',
    what: `Not as configured: ${changes.map(({ wanted }) => wanted.path).join(', ')}.`,
    why: 'The settings were changed since, or somebody else changed these files.',
    remedy: configure,
  };
}

const notTakenIn = ({ layout, program }: DoctorFacts): Verdict => ({
  kind: 'bad',
  what: `ssh does not go by ${layout.sshConfig}, although your configuration names it.`,
  why: `What it makes of it: ${program('ssh')} -G ${alias}`,
  remedy:
    'Take away what stands in the way, or the whole block of linuxkit-builder, and run configure again.',
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
    const why = `nix-daemon runs as root, and goes by: ${drift.files.join(', ')}.`;
    return { kind: 'bad', what: sentence, why, remedy };
  }
  if (first !== undefined)
    return {
      kind: 'bad',
      what: `${first.path} ${first.why}, and does not name the builder.`,
      why: 'It is not ours to change.',
      remedy: first.text,
    };
  const why = `${configure} writes them anew, and root then has a key of its own.`;
  return isAsBefore(needs)
    ? { kind: 'note', fact: 'as the release before wrote them', why }
    : {
        kind: 'good',
        fact: `the same ${needs.request.door === 'tcp' ? 'port' : 'socket'}, key and line as yours`,
      };
}
