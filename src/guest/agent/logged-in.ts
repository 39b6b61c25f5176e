/** How many ssh connections have logged in, as the guest's own table of processes shows it; asked by the agent. */
import { Failed } from '../../system/failure.ts';
import type { GuestAgent } from './agent.ts';

interface LoggedInQuestion {
  /** What was true at the last answer: it is waited for another, for a while. Undefined: the answer comes at once. */
  readonly known: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * The number as soon as it is another than the known one, or that again when it has stayed for ten seconds. Undefined where the
 * guest does not tell. Rejects only when the signal aborts.
 */
export async function askLoggedIn(
  agent: Pick<GuestAgent, 'exec'>,
  { known, signal }: LoggedInQuestion,
): Promise<number | undefined> {
  try {
    const argv = ['-c', loggedInScript('/proc'), 'logged-in', String(known ?? -1), String(looks)];
    const { code, stdout } = await agent.exec('/bin/sh', argv, { signal, timeoutMs: 30_000 });
    return code === 0 && /^\d{1,9}\n$/.test(stdout) ? Number(stdout) : undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failed)) throw error;
    return undefined;
  }
}

/** The first few come at once, the others every fifth of a second: ten seconds. */
const looks = 53;

/**
 * A connection is a process of sshd's whose parent is sshd or, when that has died, process 1. OpenSSH gives it a child that knows
 * nothing and is nobody until the login is proved: `sshd-auth`, before OpenSSH 10 one of its own name that is, in this order, root's,
 * and somewhere else than in the root directory (PROTOCOL and README.privsep of OpenSSH). After that its children are what the user runs,
 * or act as the user. Fewer than before are believed when they are seen twice: a process that ends in the midst of a look hides others.
 * Nothing is started for a look, where the shell can wait by itself.
 */
export const loggedInScript = (proc: string): string => `
exec 2>/dev/null
known=$1 left=$2 seen=
set -- 0.02 0.05 0.1
if [ -r /usr/lib/linuxkit-builder/say ]; then . /usr/lib/linuxkit-builder/say; else pause() { sleep "$1"; }; fi
children() { children=; read -r children <"${proc}/$1/task/$1/children"; }
name() { name=; read -r name <"${proc}/$1/comm"; }
is_in() {
  children "$1"
  for child in $children; do
    name "$child"
    case $name in
    sshd-auth) return 1 ;;
    sshd | sshd-session) [ -O "${proc}/$child" ] && return 1 ;;
    esac
    [ "${proc}/$child/root" -ef / ] || return 1
  done
  [ -n "$children" ]
}
look() {
  count=0 sshd=
  children 1
  all=$children
  for process in $children; do
    name "$process"
    [ "$name" = sshd ] || continue
    sshd=$process
    children "$process"
    all="$all $children"
  done
  for process in $all; do
    name "$process"
    case $name in
    sshd | sshd-session) is_in "$process" && count=$((count + 1)) ;;
    esac
  done
}
while :; do
  look
  [ -n "$sshd" ] || exit 1
  if [ "$count" -gt "$known" ] || [ "$count" = "$seen" ] && [ "$count" != "$known" ]; then break; fi
  seen=$count
  if [ $((left -= 1)) -le 0 ]; then
    count=$known
    break
  fi
  pause "\${1:-0.2}"
  [ $# = 0 ] || shift
done
echo "$count"
`;
