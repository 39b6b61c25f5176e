/** Undoing root's part, as a script that is shown before it is run; what it would do, for whoever asks before. */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ReplacedLine } from '../../host/file-change.ts';
import { beginMark } from '../../host/managed-block.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { errorCode } from '../../system/failure.ts';
import {
  isOld,
  madeIn,
  readInstalled,
  replacedIn,
  type Installed,
  type Owner,
} from '../../host/installed.ts';
import type { RootPaths } from '../../host/system-paths.ts';
import { rootLines } from './root-plan.ts';
import { blockOf, cutsOf, oldIncludes, type Cut } from '../../host/root/root-lines.ts';
import { bytesWord, closing, cutting, opening } from '../../host/root/root-shell.ts';
import { quotedWord, shellWord } from '../../system/shell.ts';

/** Whose installation is to be removed; none asked for: whoever's it is, for an administrator. */
interface RootRemoval {
  readonly paths: RootPaths;
  readonly of: { readonly uid: number; readonly directory: string } | undefined;
}

/** What there is for root to undo; `other` when the builder of this machine is not that of our state directory. */
export type RemovalNeeds =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'other'; readonly owner: Owner }
  | ({ readonly kind: 'undo' } & Removal);

/** `known`: root's record of it, where there is one. */
interface Removal {
  readonly removal: RootRemoval;
  readonly known: Installed | undefined;
}

/** As far as we can see. */
export function removalNeeds(removal: RootRemoval): RemovalNeeds {
  const { installed, directory } = removal.paths;
  const known = readInstalled(installed);
  // What a script left that was cut short before its first file.
  if (known === undefined && !isEmpty(directory)) return { kind: 'nothing' };
  const { of } = removal;
  const isTheirs =
    known !== undefined &&
    of !== undefined &&
    (known.owner.directory !== of.directory || known.owner.uid !== of.uid);
  return isTheirs ? { kind: 'other', owner: known.owner } : { kind: 'undo', removal, known };
}

function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).every((name) => name === 'made');
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return false;
  }
}

/** The names of ours in our directory; with `.new`, what a script that was killed was about to write. */
const names = ['client_ed25519', 'client_ed25519.pub', 'known_hosts', 'ssh_config', 'machines'];

/** The script. Run again after an end in between it goes on; it says what it did. */
export function removalScript({ removal: { of, paths }, known }: Removal): string {
  const lines = rootLines(paths);
  const made = madeIn(known, paths);
  const replaced = replacedIn(known, paths);
  const includes = [{ lines: blockOf(lines.ssh) }, ...oldIncludes(lines.ssh, isOld(known))];
  const listed = [
    ...cutsOf(new OthersFiles().read(paths.machines, 'latin1') ?? '').filter(isBlock),
    { lines: blockOf(lines.machines) },
  ];
  // The innermost first.
  const directories = made
    .filter((path) => path !== paths.ssh && path !== paths.machines)
    .sort((a, b) => b.length - a.length);
  // What is known of it goes with our directory, so the others go before.
  const isAboveOurs = (path: string) => paths.directory.startsWith(`${path}/`);
  const isMade = (path: string) => (made.includes(path) ? 'made' : "''");
  return `# Root's part of linuxkit-builder is taken back, and nothing else.
${opening(paths, { uid: of?.uid, did: 'Removed our lines from' })}
${replaced.machines === undefined && replaced.ssh === undefined ? '' : insertion}undo() { # FILE MADE: $text takes its place; a file that was made for ours goes when it is empty
    [ "$text" != "$old" ] || return 0
    if [ -z "$text" ] && [ "$2" ]; then rm "$1"; echo "Deleted $1"; else put "$1" "$text"; fi
}
drop() { rm -f "$1.linuxkit-builder"; [ ! -e "$1" ] || { rm "$1"; echo "Deleted $1"; }; } # FILE
leave() { # DIRECTORY
    [ ! -d "$1" ] || { rmdir "$1" 2>/dev/null && echo "Deleted $1/, which is empty"; } ||
        echo "Left $1/: it contains other files: $(ls -A "$1" | tr '\\n' ' ')"
}

if [ -L "$machines" ]; then echo "Left $machines: it is a link."; else
${cuttingOut('machines', listed, replaced.machines)}undo "$machines" ${isMade(paths.machines)}
fi
if [ -L "$ssh" ]; then [ ! -e "$ssh" ] || printf '%s\\n' "Left $ssh: it is a link. Remove this line from it: "${quotedWord(lines.ssh.line)}; else
${cuttingOut('ssh', includes, replaced.ssh)}undo "$ssh" ${isMade(paths.ssh)}
fi
for file in "$machines" "$ssh"; do
    ! grep -qsF '${beginMark}' "$file" || echo "Left our lines in $file: they were changed."
done
${leaving(directories.filter((path) => !isAboveOurs(path)))}${closing}
for name in ${names.join(' ')} installed.json made; do drop "$ours/$name"; done
${leaving([paths.directory, ...directories.filter(isAboveOurs)])}`;
}

const leaving = (directories: readonly string[]): string =>
  directories.map((path) => `leave ${shellWord(path)}\n`).join('');

/** The release before's, not what it left alone. */
const isBlock = ({ lines }: Cut): boolean => lines.startsWith(beginMark);

const cuttingOut = (
  name: 'machines' | 'ssh',
  cuts: readonly Cut[],
  replaced: readonly ReplacedLine[] = [],
): string => `get "$${name}"
old=$text
${cutting(cuts)}${replaced.length === 0 ? '' : `[ "$text" = "$old" ] || {\n${replaced.map(inserting).join('')}}\n`}`;

const inserting = ({ line, text }: ReplacedLine): string =>
  `    insert ${line} ${bytesWord(text)}\n`;

const insertion = `insert() { # COUNT LINE: LINE, which was there before, comes after COUNT lines of $text
    rest=$text text='' count=$1
    while [ "$count" -gt 0 ]; do
        case $rest in *"$nl"*) ;; *) break ;; esac
        text=$text\${rest%%"$nl"*}$nl rest=\${rest#*"$nl"} count=$((count - 1))
    done
    text=$text$2$rest
}
`;

/** What the script would do, in words. */
export function plannedRemoval({ removal: { paths }, known }: Removal): string[] {
  const ours = [...names, 'installed.json', 'made', 'door'].map((name) =>
    join(paths.directory, name),
  );
  return [
    ...[paths.machines, paths.ssh].flatMap((path) => plannedEdit(path)),
    ...ours.filter((path) => existsSync(path)).map((path) => `Would delete ${path}`),
    ...[paths.directory, ...madeIn(known, paths)].map(
      (path) => `Would delete ${path} if it is empty`,
    ),
  ];
}

function plannedEdit(path: string): string[] {
  try {
    return lstatSync(path).isFile() ? [`Would remove our lines from ${path}`] : [];
  } catch (error) {
    return errorCode(error) === 'EACCES' ? [checkedByRoot(path)] : [];
  }
}

export const checkedByRoot = (path: string): string =>
  `Would check ${path}, which only root can read`;

export const nothingToUndo = 'Nothing to undo.';
