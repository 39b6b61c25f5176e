/**
 * What root's two scripts have in common: text for /bin/sh (POSIX: dash, busybox's, macOS's bash 3.2), which a person reads before
 * it is run. It believes nothing: root writes where nobody else can, through no link, and each file whole.
 */
import type { RootPaths } from '../system-paths.ts';
import { systemPath } from '../../system/process/find-program.ts';
import { shellWord } from '../../system/shell.ts';
import type { Cut } from './root-lines.ts';

/** Text as a word of a shell, whose characters are bytes; a carriage return, which a terminal would act on, is $cr. */
export const bytesWord = (bytes: string): string =>
  shellWord(Buffer.from(bytes, 'latin1').toString('utf8')).replaceAll('\r', `'"$cr"'`);

/** Of macOS also by the access control list, in which an entry may give what the mode does not (ls(1), -e). */
export const onlyRoots = `only_roots() { # DIR: true of a directory that nobody else can change
    [ "$(find "$1" -prune -type d -user "$(id -u)" ! -perm -020 ! -perm -002)" ] || return 1
    [ "$(uname)" != Darwin ] || ! ls -lde "$1" | grep -Eq '^ *[0-9]+: .* allow .*(write|append|add_|delete|chown)'
}`;

/** Names, and a PATH that is root's own: sudo may leave the user's. Then a look, before anything is written. */
export function opening(
  { nix, machines, ssh, directory, installed }: RootPaths,
  { uid, did }: { readonly uid: number | undefined; readonly did: string },
): string {
  const whose = `
[ ! -e "$ours/installed.json" ] || grep -q '^    "uid": ${uid ?? 0},$' "$ours/installed.json" ||
    refuse ${shellWord(`${installed} says that the builder of this machine belongs to another user`)}`;
  return `set -euf
umask 022
LC_ALL=C PATH=${systemPath}
export LC_ALL PATH
nix=${shellWord(nix)}
ours=${shellWord(directory)}
machines=${shellWord(machines)}
ssh=${shellWord(ssh)}
cr=$(printf '\\r') nl='
'

refuse() { echo "$1. Nothing was changed." >&2; exit 77; }
${onlyRoots}
for dir in "$nix" "$ours" "\${ssh%/*}"; do
    [ -e "$dir" ] || [ -L "$dir" ] || continue
    only_roots "$dir" || refuse "$dir must be a directory that only root can write to"
    [ -w "$dir" ] || refuse "$dir is not writable" # a read-only file system
done
for file in "$machines" "$ssh"; do
    [ ! -e "$file" ] || [ -f "$file" ] || [ -L "$file" ] || refuse "$file is not a regular file"
    [ ! -f "$file" ] || [ -L "$file" ] || { true >>"$file"; } 2>/dev/null || refuse "$file is not writable"
    [ ! -f "$file" ] || [ $(tr -d '\\0' <"$file" | wc -c) -eq $(wc -c <"$file") ] || refuse "$file contains a NUL byte"
done${uid === undefined ? '' : whose}

get() { text=''; [ ! -e "$1" ] || text=$(cat "$1" && echo .); text=\${text%.}; } # FILE
put() { # FILE TEXT: whole, with the mode and owner it has; a mount point cannot be replaced, and is written in place
    [ ! -e "$1" ] || cp -p "$1" "$1.linuxkit-builder"
    printf %s "$2" >"$1.linuxkit-builder"
    if cmp -s "$1.linuxkit-builder" "$1"; then rm "$1.linuxkit-builder"; return; fi
    sync "$1.linuxkit-builder" 2>/dev/null || : # a power cut leaves the old bytes or the new ones, and no empty file
    mv -f "$1.linuxkit-builder" "$1" 2>/dev/null || cat "$1.linuxkit-builder" >"$1"
    rm -f "$1.linuxkit-builder"
    echo "${did} $1"
}
cut() { # LINES: go out of $text
    case $nl$text in *"$nl$1"*)
        text=$nl$text
        text=\${text%%"$nl$1"*}$nl\${text#*"$nl$1"}
        text=\${text#"$nl"}
    esac
}`;
}

/** Takes away the front door's directory, with the socket that a daemon left in it; its owner may have put anything there. */
export const closing = `[ ! -d "$ours/door" ] || {
    rm -f "$ours/door/socket" "$ours/door/socket.lock" "$ours/door/socket.new" 2>/dev/null || :
    rmdir "$ours/door" 2>/dev/null && echo "Deleted $ours/door" || echo "Left $ours/door alone: it contains other files" >&2
}`;

/** Takes such lines out of $text. */
export const cutting = (cuts: readonly Cut[]): string =>
  cuts
    .map(({ lines, breakBefore }) => {
      const broken = breakBefore === undefined ? '' : `\ntext=\${text%${bytesWord(breakBefore)}}`;
      return `cut ${bytesWord(lines)}${broken}\n`;
    })
    .join('');
