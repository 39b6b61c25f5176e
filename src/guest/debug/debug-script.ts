/**
 * A shell in a build that failed. Nix itself runs the build, with `stayer` in its builder's place: that runs the builder, and when the
 * builder has ended runs the shell. So the shell is where the build is, by descent: Nix's sandbox, user, limits and rules are not made a
 * second time. See docs/decisions/debug-shell.md.
 */
import { keptBuilds } from './kept-builds.ts';

interface StayingBuild {
  readonly builder: string;
  readonly args: readonly string[];
  /** What is run there; nothing: a shell. */
  readonly command: readonly string[];
  /** Name of a file in the build's directory, by which that is found, and a word that ends its log. */
  readonly token: string;
}

/** A builder and its arguments, with which the build stays. */
export const staying = ({ builder, args, command, token }: StayingBuild) => ({
  builder: '/bin/sh',
  args: ['-p', '-c', stayer, 'debug', token, String(command.length), ...command, builder, ...args],
});

/**
 * Run by bash, as the build. At each step it waits in /dev/debug for a word of `debugScript`; the first step is over before anything of
 * the derivation has run: with -p bash takes neither functions nor its own options from the environment, which may hold commands, and TMOUT
 * ends no wait. It never ends well, so that nothing of it comes into the store. What it is called with and its variables are
 * not in the environment of the builder, and have names that no derivation's have.
 */
const stayer = `
set +p +o posix
unset SHLVL OLDPWD
_debug_words=("$@")
_debug_next() {
  echo "$1" >/dev/debug/state && TMOUT=0 read -r _debug_word </dev/debug/go || exit 1
}
: >"$1" || exit 1
_debug_next begun
shift $(($2 + 2))
if [ "$_debug_word" = build ]; then
  (
    unset "\${!_debug_@}"
    exec -a "\${1##*/}" "$@"
  )
  _debug_code=$?
  echo "$_debug_words" >&2
  _debug_next "ended $_debug_code"
else
  echo "$_debug_words" >&2
  _debug_next kept
fi
set -- "\${_debug_words[@]:2:_debug_words[1]}"
cd "$NIX_BUILD_TOP" || exit 1
# Nix takes a log that nobody has open for the end of the build.
exec 9>&2
if [ "$_debug_word" = terminal ]; then
  exec <>/dev/console >&0 2>&1
  (
    unset "\${!_debug_@}"
    exec -a bash /bin/sh --rcfile /dev/debug/rc -i 9>&-
  )
else
  exec </dev/debug/in >/dev/debug/out 2>/dev/debug/err
  (
    unset "\${!_debug_@}"
    [ ! -e env-vars ] || . ./env-vars
    cd "$NIX_BUILD_TOP"
    [ $# != 0 ] || set -- sh
    [ "$1" != sh ] || type -P sh >/dev/null || set -- /bin/sh "\${@:2}"
    exec -- "$@" 9>&-
  )
fi
_debug_code=$?
exec </dev/null >/dev/null 2>&1
echo "over $_debug_code" >/dev/debug/state
exit 1
`;

/** Takes the request of a build from its input into a directory of its own, whose name it says. Requests that nobody came for go first. */
export const requestScript = `
umask 077
find /run -maxdepth 1 -name 'linuxkit-builder.debug.*' -mmin +60 -exec sh -c '[ -e "$0/state" ] || rm -rf "$0"' {} \\;
dir=$(mktemp -d /run/linuxkit-builder.debug.XXXXXX) && cat >"$dir/request" && echo "$dir"
`;

/**
 * Run by root in the guest, by its own shell (busybox). It prepares what the build cannot: a terminal or pipes that are the build's, and
 * the directory of an earlier session. What it knows of the build it learns before the builder runs; nothing that comes later from there
 * is believed to be a path, or the build's end: that is when `nix` has gone, which only root can delete. `root`: the directory in which to
 * find /nix, for tests. Arguments: the request's directory, the token, the name of the derivation's file, `terminal` or `pipes`.
 *
 * Exit code: that of the shell; 69 where there was no build to be in, with Nix's own words before.
 */
export const debugScript = (root: string): string => `
dir=$1 token=$2 name=$3 mode=$4
kept=${root}${keptBuilds} builds=${root}/nix/var/nix/builds
mine=$kept/$name
word= code= ended= build= pumps= log=
say() { echo "linuxkit-builder: $*" >&2; }
end_build() { { read -r nix <"$dir/nix" && kill "$nix"; } 2>/dev/null; }
# A signal ends the build, and what is waited for is its end.
trap end_build INT TERM HUP
next() {
  until read -r word code <&3 && [ -n "$word" ] && { [ "$word" != gone ] || [ ! -e "$dir/nix" ]; }; do :; done
}

leave() {
  [ "$word" = over ] || end_build
  until [ "$word" = gone ]; do next; done
  trap '' INT TERM HUP
  [ -z "$pumps" ] || kill $pumps 2>/dev/null
  [ -z "$build" ] || keep
  exit "$1"
}
keep() {
  if [ "\${ended:-0}" != 0 ]; then
    rm -rf "$mine" "$mine.new"
    mkdir "$mine.new" && mv "$build" "$mine.new/build" && chmod 700 "$mine.new/build" && du -sk "$mine.new/build" |
      { read -r kib _ && echo "$kib" >"$mine.new/kib"; } && mv "$mine.new" "$mine"
  fi
  rm -rf "$top" "$mine.new" "$mine.old"
}
fit() {
  set -- $(stty size <&5 2>/dev/null)
  [ $# != 2 ] || stty -F "$terminal" rows "$1" cols "$2"
}

trap 'rm -rf "$dir"' EXIT
umask 022
mkdir -p "$kept" && chmod 700 "$kept" && chmod 711 "$dir" && cd "$dir" || exit 69
umask 077
mkfifo state go in out err log && chmod 622 state out err && chmod 644 go in || exit 69
# Both ends are here, so that nobody waits for another to come.
exec 3<>state 4<>go 5<&0 6<>log
paths=/dev/debug=$dir
if [ "$mode" = terminal ]; then
  socat -lf /dev/null "PTY,link=$dir/tty,wait-slave,pty-interval=0.1" STDIO,raw,echo=0 <&5 3>&- 4>&- 6>&- &
  pty=$! pumps=$!
  until terminal=$(readlink "$dir/tty"); do kill -0 "$pty" && sleep 0.1 || exit 69; done
  paths="$paths /dev/console=$terminal"
fi
awk -v "end=$token" 'index($0, end) { exit } { print; fflush() }' <log >&2 3>&- 4>&- 6>&- &
log=$!
(
  trap '' INT HUP
  NIX_REMOTE=daemon nix-store --serve --write --option substitute false --option extra-sandbox-paths "$paths" <request >reply 2>log 3>&- 4>&- 6>&- &
  echo $! >nix
  wait $!
  rm nix
  # The build may have begun a line there.
  printf '\\ngone\\n' >&3
  echo "$token" >&6
) &
# Without a terminal nobody says that the client has gone: then this is a child of process 1.
(
  while read -r _ _ _ parent _ <"/proc/$$/stat"; do
    [ "$parent" != 1 ] || end_build
    sleep 1
  done
) 3>&- 4>&- 6>&- >/dev/null 2>&1 <&- &

next
if [ "$word" != begun ]; then
  wait $log
  # Its answer: a word, its version, how it ended, and why. 2 is AlreadyValid (build-result.hh).
  if [ "$(od -An -tu1 -j16 -N1 reply | tr -d ' ')" = 2 ]; then
    say 'nothing to build: the guest already has all outputs of this derivation'
    say 'to delete what is not in use there, run: linuxkit-builder gc'
  else
    tr -d '\\033' <reply | sed 's/\\[[0-9;]*m//g' | strings -n 8 >&2
  fi
  leave 69
fi
for found in $builds/*/build/$token $builds/*/$token; do [ ! -e "$found" ] || break; done
if [ ! -e "$found" ]; then
  say "the build directory is not in $builds"
  leave 69
fi
build=\${found%/$token}
top=\${build%/build}
owner=$(stat -c %u:%g "$build")
rm "$build/$token"
rm -rf "$mine.old"
if mv "$mine" "$mine.old" 2>/dev/null; then
  ended=kept
  find "$build" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  find "$mine.old/build" -mindepth 1 -maxdepth 1 -exec mv -t "$build" {} +
  chown -hR "$owner" "$build"
  rm -rf "$mine.old"
  echo enter >&4
else
  echo build >&4
fi

next
case $word in ended | kept) ;; *) end_build ;; esac
wait $log
cat log >/dev/null 3>&- 4>&- 6>&- &
pumps="$pumps $!"
case $word-$code in
kept-) say 'this is the directory that was kept when the build failed' ;;
ended-0) ended=0 && say 'the build succeeded this time; its outputs are not added to the store' ;;
ended-*) ended=\${code:-1} && say "the builder failed with exit code $code" ;;
*) leave 69 ;;
esac
if [ "$mode" = terminal ]; then
  case $TERM in '' | *[!A-Za-z0-9.+_-]*) TERM=dumb ;; esac
  cat >rc <<'end'
[ -z "$NIX_ATTRS_SH_FILE" ] || . "$NIX_ATTRS_SH_FILE"
[ ! -e env-vars ] || . ./env-vars
cd "$NIX_BUILD_TOP"
PS1='[debug \\w]\\$ '
end
  echo "TERM=$TERM" >>rc
  chmod 644 rc
  chown "$owner" "$terminal"
  fit
  trap fit WINCH
  echo terminal >&4
  next
  outputs=$pty
else
  cat <&5 >in 3>&- 4>&- 6>&- &
  pumps="$pumps $!"
  cat out 3>&- 4>&- 6>&- &
  outputs=$!
  cat err >&2 3>&- 4>&- 6>&- &
  outputs="$outputs $!"
  pumps="$pumps $outputs"
  echo pipes >&4
  next
fi
# The last of the output is on its way.
[ "$word" != over ] || wait $outputs
case $code in '' | *[!0-9]*) code=69 ;; esac
leave "$code"
`;
