/** Whether the guest's Nix can ask the caches that it is set to ask: looked at from inside. */
import { inMarks, quoted } from '../../system/plain-text.ts';

/** One of the guest's substituters, as far as it got. */
export interface Cache {
  readonly url: string;
  /** `unnamed`: its name leads to no address there. `unreached`: it does, and Nix gets no answer of a cache. */
  readonly state: 'reached' | 'unnamed' | 'unreached';
  /** What Nix itself says, last. */
  readonly said?: string;
}

/** Whoever has more of them asks the first ones first. */
const most = 4;

/**
 * For sh, as whoever may ask Nix. Its own folder for what Nix remembers, or the answer might be a week old; the name first, since Nix's own
 * waits for names are long. What is no http is reached by other means than names and ports.
 */
export const cachesScript = `words=$(mktemp -d) || exit 9
nix() { command nix --extra-experimental-features nix-command "$@"; }
settings=$(nix config show 2>/dev/null || nix show-config 2>/dev/null) || exit 9
named() {
  case $1 in *[!0-9.]*) ;; *) return 0 ;; esac
  case $1 in \\[*) return 0 ;; esac
  grep -qwF -e "$1" /etc/hosts || busybox nslookup "$1" >/dev/null 2>&1
}
count=0
for url in $(printf '%s\\n' "$settings" | sed -n 's/^substituters = //p'); do
  case $url in http://*|https://*) ;; *) continue ;; esac
  count=$((count + 1))
  [ $count -le ${most} ] || break
  {
    host=\${url#*://} host=\${host%%/*} host=\${host##*@}
    case $host in *]*) host=\${host%%]*}] ;; *) host=\${host%%:*} ;; esac
    if ! named "$host"; then echo "unnamed $url"
    elif XDG_CACHE_HOME=$words/$count timeout 30 nix --extra-experimental-features nix-command store ping --store "$url" >"$words/$count.nix" 2>&1
    then echo "reached $url"
    else echo "unreached $url $(tail -n 1 "$words/$count.nix")"
    fi
  } >"$words/$count.found" &
done
wait
cat "$words"/*.found 2>/dev/null
rm -rf "$words"
echo end`;

/** What the script said; undefined where it did not come to its end. Pure. */
export function cachesIn(text: string): readonly Cache[] | undefined {
  const lines = text.trimEnd().split('\n');
  if (lines.at(-1) !== 'end') return undefined;
  return lines.flatMap((line) => {
    const [, state, url, words] =
      /^(reached|unnamed|unreached) (https?:\/\/\S+)(?: (.*))?$/.exec(line) ?? [];
    const shown = quoted(withoutLogin(url ?? ''));
    if (state === undefined || shown === undefined) return [];
    const said = inMarks(withoutLogin(words ?? ''));
    return [
      { url: shown, state: state as Cache['state'], ...(said === undefined ? {} : { said }) },
    ];
  });
}

/** A cache's password is nobody's business who reads a report. */
const withoutLogin = (words: string): string => words.replaceAll(/:\/\/[^\s/@]*@/g, '://');
