/** Every path in the state directory, with its writer and its readers. Nothing else joins these names. */
import { join } from 'node:path';
import { instance } from './instance.ts';
import type { Problem } from '../domain/problem.ts';

/**
 * Longest path of a Unix socket in bytes: macOS has 104 with the final NUL (sys/un.h). Node truncates a longer one
 * without a word, so it is checked here.
 */
export const maxSocketPath = 103;

/** Absolute paths, all of them below one state directory. */
export type Layout = ReturnType<typeof layoutOf>;

/** The map of a state directory (an absolute path). Pure: touches nothing. */
export function layoutOf(root: string) {
  const state = join(root, 'nix-state');
  const keys = join(root, 'keys');
  return {
    root,
    /** Says that the directory is ours; written before anything else. */
    mark: join(root, '.linuxkit-builder'),
    /** Written by configure and by people; read by everything. */
    config: join(root, 'config.json'),
    /** Sparse raw data disk: the guest's /nix. Created and grown by the daemon, formatted by the guest, deleted by nobody. */
    disk: join(root, 'nix-disk'),
    /** The builder's line as Nix's list has it: for `--builders @FILE`, where Nix does not know the builder. */
    machines: join(root, 'machines'),
    /** Written by configure; read by people. */
    example: join(root, 'example.nix'),
    /** `builder-*`, made by `image build`; `good-*`, the last one that got ready, kept by the daemon. */
    images: join(root, 'image'),
    /** Packages by SHA-256; written by `image build`; can be deleted at any time. */
    downloads: join(root, 'downloads'),

    keys,
    /** Logs in as the guest's `builder`; read by Nix's ssh and by our probe. */
    clientKey: join(keys, 'client_ed25519'),
    /** Logs in as the guest's root; for `linuxkit-builder ssh --root` and the daemon only. */
    rootKey: join(keys, 'root_ed25519'),
    /** The guest's own ssh identity, handed to it in the seed. */
    hostKey: join(keys, 'host_ed25519'),
    /** The host key's public half under the alias; written by configure; read by ssh. */
    knownHosts: join(keys, 'known_hosts'),
    /** The Host stanza for the user; included from ~/.ssh/config. */
    sshConfig: join(root, 'ssh_config'),
    /** What configure changed elsewhere and how it was before; for undoing it. */
    receipts: join(root, 'receipts.json'),
    /** Links that keep the garbage collector of Nix from the programs that start the daemon; written by configure. */
    gcRoots: join(root, 'gcroots'),
    /** Of the release before, which kept here what root had to write, a private key among it: `configure` deletes it. */
    rootRequest: join(root, 'root-request.json'),

    state,
    /** Kernel lock: one daemon a state directory. Held for the daemon's life. */
    daemonLock: join(state, 'daemon.lock'),
    /** proper-lockfile: serialises a start against configure, image build and unconfigure. */
    startLock: join(state, 'start'),
    /** Kernel lock that the VM process holds for its life. Beside the disk, so that it is there as long as that is. */
    vmLock: join(root, 'nix-disk.lock'),
    /** The lock that `image update` has made: what images are made of, where its indexes are newer than those of the program's own. */
    imageLock: join(root, 'image-lock.json'),
    /** Whether a guest has had the disk whose Nix let builds become root; goes away with the disk. */
    diskRecord: join(root, 'nix-disk.json'),
    networkLock: join(state, 'network.lock'),
    /** Rewritten whole by the daemon when something has changed; read by anybody. */
    status: join(state, 'status.json'),
    /** Room for status.json on a full disk: deleted to make it, laid by again later. */
    reserve: join(state, 'reserve'),
    /** What cannot be said by a signal: one JSON a line; 0600. */
    control: join(state, 'control.sock'),
    /** The same for all commands, where a group may use the other for some; 0600. Its owner takes no other. Absent elsewhere. */
    ownControl: join(state, 'owner.sock'),
    /** Who the daemon is (JSON with pid, start time, boot id, program). */
    daemonPid: join(state, 'daemon.json'),
    /** The plain pid of a child and, beside it, the JSON that says whether to believe it. */
    pid: (program: string) => join(state, `${program}.pid`),
    pidRecord: (program: string) => join(state, `${program}.json`),
    /** The guest's serial output; written by the VM process, read by the daemon. */
    consoleRing: join(state, 'console-ring'),
    /** Decoded console lines with times, over many boots; rotated by size. */
    consoleLog: join(state, 'console.log'),
    /** SHA-256 of the files by which launchd or systemd was last told of the daemon; written by `start`. */
    serviceLoaded: join(state, 'service.sha256'),
    /** The daemon's log: one JSON a line; rotated by size. */
    log: join(state, 'daemon.log'),
    /** The last starts and their steps: one JSON a line; cut by size. */
    boots: join(state, 'boots.jsonl'),
    /** What happened in the last days, for the picture of one: one JSON a line; cut by size. */
    day: join(state, 'day.jsonl'),
    /** What a daemon in the background prints: its sentences, and the stack of a bug. Begun anew by `start`. */
    daemonOutput: join(state, 'daemon.out'),
    /** Says that the launcher was told to end, to a shell of its own that has yet to become the daemon; made and removed by it. */
    launcherStopping: join(state, 'launcher.stopping'),
    /** What the VM program itself says; followed into the daemon's log. */
    vmOutput: join(state, 'vm.out'),
    networkOutput: join(state, 'network.out'),
    /** The image's kernel, as it was when the start looked at it. */
    kernel: join(state, 'kernel'),
    /** The same kernel unpacked, where the VM program can boot it so. */
    unpacked: join(state, 'vmlinux'),
    /** The image's initrd with the seed behind it; 0600, since it holds keys. Without the root, where that is a disk. */
    initrd: join(state, 'initrd'),
    /** The image's initrd as it is: the file of the disk that the root is. */
    rootImage: join(state, 'root'),
    /** What was there when a guest froze: a folder each, the newest ten. */
    incidents: join(state, 'incidents'),
    /** VPNKit's Ethernet protocol: made by us for VPNKit, by gvproxy itself; dialled by HyperKit. */
    vpnkitSocket: join(state, 'vpnkit_eth.sock'),
    /** The same for QEMU's framing: made by gvproxy. */
    streamSocket: join(state, 'net.sock'),
    /** The same for vfkit, a datagram socket; vfkit makes `vfkit-*.sock` beside it. */
    gramSocket: join(state, 'vfkit_net.sock'),
    /** vfkit's REST interface, and its way to the guest agent's vsock port; made by it. */
    vfkitRest: join(state, 'vfkit.sock'),
    vfkitAgent: join(state, 'vfkit_agent.sock'),
    /** gvproxy's own interface, with its way to the guest. */
    gvproxy: join(state, 'gvproxy.sock'),
    /** Who the guest's card is to VPNKit. */
    vpnkitUuid: join(state, 'vpnkit.uuid'),
    /** HyperKit's way to the guest's vsock ports; made by it beside a socket or link a port, and never removed. */
    vsock: join(state, 'connect'),
    /** Name of the terminal that HyperKit's guest has for a console; nobody reads it. */
    tty: join(state, 'tty'),
    /** The guest's sshd, where QEMU's own network can forward a Unix socket; made by QEMU, dialled by the front door. */
    guestSsh: join(state, 'ssh.sock'),
    /** QEMU's machine protocol. */
    qmp: join(state, 'qmp.sock'),
    /** The guest agent's channel. */
    agent: join(state, 'agent.sock'),
    /** What a trial guest and its VM program say, both removed after it; and the trial's lock. */
    trialConsole: join(state, 'trial.console'),
    trialOutput: join(state, 'trial.out'),
    trialLock: join(state, 'trial.lock'),
    /** A trial guest's userspace, and the way to ask its VM program. */
    trialInitrd: join(state, 'trial.initrd'),
    trialQmp: join(state, 'trial.sock'),
    /** The image that did not get ready, and why; written by the daemon, removed by `image build`. */
    imageRejected: join(state, 'image-rejected.json'),
    /** What the last look at Debian's security archive found. */
    imageNews: join(state, 'image-news.json'),
    /** Which program the guest was ready with last; with `vm` `auto` it is kept. */
    vmRecord: join(state, 'vm.json'),
    /** The guest that is away, as its VM program saved it; 0600, since it is all that was in its memory. `memory.new` while it is made. */
    memory: join(state, 'memory'),
    unfinishedMemory: join(state, 'memory.new'),
    /** Says that `memory` and the disk belong together; whoever begins a guest removes it first. */
    suspended: join(state, 'suspended.json'),
    /** Whether a guest goes on from a file here, as it was tried. */
    suspendTrial: join(state, 'suspend-trial.json'),
    /** The way between the VM program and the daemon, which writes and reads that file for a QEMU older than 9.0. */
    memorySocket: join(state, 'memory.sock'),
    /** What was tried in this boot of the host, and whether it works: accelerators, network programs, VM programs. */
    verdicts: join(state, 'verdicts.json'),
  };
}

/** What makes a directory unfit to be the state directory, judged by its name alone. */
export function stateDirectoryProblems(root: string): Problem[] {
  const problems: Problem[] = [];
  const bad = (message: string, hint: string) =>
    problems.push({ path: 'state directory', value: root, message, hint });
  if (!root.startsWith('/')) bad('is not an absolute path', 'Give the full path, starting with /.');
  const character = /[\p{Cc}",'\\%$;*?[\]]/u.exec(root)?.[0];
  if (character !== undefined)
    bad(
      `contains ${JSON.stringify(character)}, which has another meaning to ssh or to a VM program`,
      'Choose a path without control characters and without any of " \' , ; \\ % $ * ? [ ]',
    );
  const longest = Buffer.byteLength(layoutOf(root).control);
  if (longest > maxSocketPath)
    bad(
      `is too long: the path of a socket in it would have ${longest} bytes, and the system allows ${maxSocketPath}`,
      'Choose a directory with a shorter path, with -d or XDG_CACHE_HOME.',
    );
  return problems;
}

/** Where the state is when nobody says otherwise: `$XDG_CACHE_HOME/nix-linuxkit-builder`, else under ~/.cache. */
export function defaultStateDirectory(env: NodeJS.ProcessEnv, home: string): string {
  const cache = env['XDG_CACHE_HOME'];
  return join(
    cache !== undefined && cache.startsWith('/') ? cache : join(home, '.cache'),
    instance.stateDirectory,
  );
}
