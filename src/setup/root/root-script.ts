/** Root's part of configure, as a script: the files from which nix-daemon's ssh learns where the guest is, and Nix's line. */
import { missingDirectories } from '../../host/file-change.ts';
import { installedText, isOld, madeIn, replacedIn, type Installed } from '../../host/installed.ts';
import { ownFiles, rootLines, type RootRequest } from './root-plan.ts';
import { blockOf, cutsOf, leftoversIn, oldIncludes } from '../../host/root/root-lines.ts';
import { bytesWord, closing, cutting, opening } from '../../host/root/root-shell.ts';
import { shellWord } from '../../system/shell.ts';

interface ScriptOptions {
  /** What root's record says now. */
  readonly known: Installed | undefined;
  /** Nix's list as it is, a character a byte; undefined where it is left alone: a configuration makes it, or it says all in words of its own. */
  readonly list: string | undefined;
  /** Whatever key root has, it gets another. */
  readonly renewsKey: boolean;
}

/** The script. Run again it changes what differs, and nothing else; it says each file that it wrote. */
export function installScript(
  request: RootRequest,
  { known, list, renewsKey }: ScriptOptions,
): string {
  const { owner, paths } = request;
  const lines = rootLines(paths);
  const files = ownFiles(request);
  const made = [...madeIn(known, paths), ...missingDirectories(paths.directory)];
  const replaced = replacedIn(known, paths);
  const leftovers = list === undefined ? [] : leftoversIn(list);
  const record = installedText(owner, {
    ...replaced,
    ...(leftovers.length > 0 && { machines: [...(replaced.machines ?? []), ...leftovers] }),
  });
  return `# Root's part of linuxkit-builder, for ${nameOf(owner.name)} (uid ${owner.uid}): nix-daemon is root, and so is its ssh.
${opening(paths, { uid: owner.uid, did: 'Wrote' })}
made() { grep -qsxF "$1" "$ours/made" || echo "$1" >>"$ours/made"; } # PATH: a removal deletes it if it is empty
link() { # FILE LINE: true of a link, which is somebody's arrangement
    [ -L "$1" ] || return 1
    grep -qsF "$2" "$1" || echo "$1 is a link and was not changed. Add this line at its top: $2" >&2
}

install -d -m 755 "$ours"
put "$ours/installed.json" ${shellWord(record)}
${[...new Set(made)].map((path) => `made ${shellWord(path)}\n`).join('')}
# Root's own key, which nobody else reads; the guest is told its public half.
key=$ours/client_ed25519
${renewsKey ? 'rm -f "$key"\n' : ''}ssh-keygen -y -P '' -f "$key" >/dev/null 2>&1 || {
    rm -f "$key"
    ssh-keygen -q -t ed25519 -N '' -C nix-daemon -f "$key"
    sync "$key" "$key.pub" 2>/dev/null || :
}
put "$key.pub" "$(ssh-keygen -y -P '' -f "$key")$nl"
put "$ours/known_hosts" ${shellWord(files.knownHosts.content.text)}

${door(request)}
block=${bytesWord(blockOf(lines.ssh))}
link "$ssh" ${shellWord(lines.ssh.line)} || {
    [ -d "\${ssh%/*}" ] || { made "\${ssh%/*}"; install -d -m 700 "\${ssh%/*}"; }
    [ -e "$ssh" ] || { made "$ssh"; umask 077; }
    get "$ssh"
${cutting(oldIncludes(lines.ssh, isOld(known)))}    case $text in
    "$block"*) ;;
    *) cut "$block"; put "$ssh" "$block$text" ;;
    esac
    umask 022
}
put "$ours/ssh_config" ${shellWord(files.sshConfig.content.text)}
put "$ours/machines" ${shellWord(files.list.content.text)}
${list === undefined ? '' : listEdit(blockOf(lines.machines), cutting(cutsOf(list)))}touch "$ours/installed.json"
`;
}

/** It is the owner's, in a directory that is root's: so it is what root made, whatever is put into it. */
const door = ({ door, owner }: RootRequest): string =>
  door === 'unix'
    ? `# The front door listens in it: for nobody but the owner and root.
[ -d "$ours/door" ] || echo "Created $ours/door"
install -d -m 700 "$ours/door"
chown ${owner.uid} "$ours/door"
`
    : `${closing}
`;

const listEdit = (block: string, cuts: string): string => `
block=${bytesWord(block)}
[ -e "$machines" ] || made "$machines"
get "$machines"
${cuts}case $nl$text in
*"$nl$block"*) put "$machines" "$text" ;;
*"$nl") put "$machines" "$text$block" ;;
*) put "$machines" "$block$text" ;; # the last line has no end
esac
`;

/** As a word of a comment. */
const nameOf = (name: string): string => name.replace(/[^\p{L}\p{N}._-]/gu, '?');
