/** Which words of what somebody has written may be secret. Pure. */
import { instance } from '../../config/instance.ts';
import { secretName } from './report-forms.ts';

/** From that length on a word is taken out wherever it stands; a shorter one is in too many words. */
export const longWord = 8;
/** Shorter ones are in every text, even of passwords. */
const shortestSecret = 4;

/** All words of what is secret as a whole, and of an address each part alone. */
export function wordsOfSecret(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  // A password may have in it what ends a word elsewhere.
  const whole = [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) =>
    (quoted ?? bare ?? '').trim(),
  );
  const words = [...lines, ...whole, ...wordsIn(text)];
  return [...words.flatMap(alsoSmall), ...words.flatMap(partsOf)].filter(
    isSomebodys(shortestSecret),
  );
}

/** Those of a value that is likely to be somebody's own: all that are long, and parts of addresses. */
export const wordsOfValue = (text: string): string[] => [
  ...(text.includes('\n') ? [] : [text.trim()]).filter(isSomebodys(longWord)),
  ...wordsIn(text).filter(isSomebodys(longWord)),
  ...wordsIn(text).flatMap(partsOf).filter(isSomebodys(shortestSecret)),
];

/** Those of a file for Nix or ssh: not what every machine has there, unless what stands before it says that it is somebody's. */
export function wordsOfText(text: string): string[] {
  // Nobody repeats the comments, and those that come with Nix and ssh have many words of ours.
  const words = wordsIn(text.replaceAll(/^[ \t]*#.*/gm, ''));
  return [
    ...words.filter((word) => isSomebodys(longWord)(word) && !usual.test(word)),
    ...words.flatMap(partsOf).filter(isSomebodys(shortestSecret)),
    ...telling.flatMap((form) =>
      [...text.matchAll(form)].flatMap(([, said = '']) => wordsOfSecret(said)),
    ),
  ];
}

/** With each that a path or a list of paths has in it, unless everybody has that path. */
const wordsIn = (text: string): string[] =>
  text.split(/[\s"'`,;=<>]+/).flatMap((word) => {
    if (isOurs(word)) return [];
    const listed = word.includes('://') ? [] : word.split(':');
    return [word, ...listed, ...word.split(/[:/@]+/)];
  });

/**
 * Login, password and host of an address, with a scheme or without, as they are written and as they are meant. Of a host also the first
 * name, unless it may be a word of any sentence.
 */
const partsOf = (word: string): string[] =>
  [
    /:\/\/(?:([^/@:]*)(?::([^/]*))?@)?([\w.-]+|\[[\da-f:.]+(?:%[\w.-]+)?\])/i,
    /^([^/@:]+)(?::([^/]*))?@([\w.-]+|\[[\da-f:.]+(?:%[\w.-]+)?\])/i,
  ]
    .flatMap((form) => form.exec(word)?.slice(1) ?? [])
    .filter((part: string | undefined) => part !== undefined)
    .flatMap((part) => [part, ...(/^[^.]*[\dA-Z-][^.]*(?=\.)/.exec(part) ?? [])])
    .flatMap((part) => [...alsoSmall(part), decoded(part)]);

/** ssh, and whatever reads addresses, says names of hosts in small letters. */
const alsoSmall = (word: string): string[] => [word, word.toLowerCase()];

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A per cent sign that is meant as one.
    return part;
  }
}

/** What is somebody's, whatever it looks like: behind the name of a secret, a machine of Nix's list, and whom ssh goes to. */
const telling: readonly RegExp[] = [
  new RegExp(`${secretName}["']?[ \\t]*[:=][ \\t]*(.*)`, 'gi'),
  /(?:_proxy|NIX_SSHOPTS)["']?=(.*)/gi,
  /\bbuilders\s*=\s*(?!@)(\S+)/g,
  /(?:^|[=;])[ \t]*(\S+)[ \t]+[\w,]+-(?:linux|darwin)\b/gm,
  /^[ \t]*(?:host|match|hostname|user|proxyjump|proxycommand|remotecommand|localcommand|setenv)[\s=]+(.*)/gim,
];

const isSomebodys =
  (shortest: number) =>
  (word: string): boolean =>
    word.length >= shortest && !isOurs(word);

const isOurs = (word: string): boolean =>
  ours.has(word) || everybodys.some((form) => form.test(word));

/** What our own sentences call the builder. */
const ours: ReadonlySet<string> = new Set([
  ...['', 'builder@', 'ssh://builder@', 'ssh-ng://builder@'].map(
    (before) => `${before}${instance.sshAlias}`,
  ),
  instance.hostName,
  instance.stateDirectory,
  instance.unitName,
]);

/** Words that are the same on every machine, or that stand in any sentence: without them a report tells nothing. */
const everybodys: readonly RegExp[] = [
  /^(?:x86_64|aarch64|i686|armv\w+|riscv64)-(?:linux|darwin)$/,
  /^@?\/(?:usr\/(?:local\/)?(?:s?bin|lib\w*|share)|s?bin|lib|dev|proc|nix\/(?:store|var)|run\/(?:current-system|wrappers|user)|(?:opt\/homebrew|usr\/local|home\/linuxbrew\/\.linuxbrew)(?:\/(?:s?bin|lib|opt|share|etc|Cellar|Caskroom|Frameworks|Homebrew))?|etc\/ss[hl])(?:\/[\w./@+-]*)?$/,
  /^@?\/etc\/nix\/(?:nix\.conf|nix\.custom\.conf|machines|netrc)$/,
  new RegExp(`^@?/etc/nix/${instance.rootDirectory}/\\w+$`),
  /^(?:nix(?:\.custom)?\.conf|ssh_config|known_hosts|client_ed25519|config\.json|nix-daemon\.service|multi-user\.target|C\.UTF-8)$/,
  /^(?:https:\/\/)?(?:cache\.)?nixos\.org\/?$/,
  /^(?:https?|socks\dh?|github\.com|openssh\.com|nodejs\.org)$/,
  // Versions, and numbers as there are in each line.
  /^(?:v?\d+(?:\.\d+)+|\d{1,5})$/,
  /^(?:homebrew|linuxbrew|Cellar|root|builder|user|admin|daemon|guest|host|localhost|linux|darwin|proxy|cache|mirror|server|login|machine|password|account|default)$/i,
  /^(?:true|false|null|none|undefined|auto|exec|info|error|ssh-ng|nix-(?:daemon|store|build|command)|big-parallel|benchmark|nixos-test)$/i,
  // Directories that most have, and what ssh's Match asks for.
  /^(?:Users|home|private|folders|Library|Applications|Contents|Resources|Frameworks|Terminal|Documents|versions|profiles|per-user|channels|keyring|Listeners|\.(?:config|cache|local|ssh|nix-profile))$/,
  /^(?:originalhost|localuser|localnetwork|sessiontype|canonical|final|tagged|version|command|test|grep)$/i,
];

/** In such files these are words of Nix, of ssh and of systemd, and names of variables. */
const usual = /^(?:[a-z_-]+|[A-Z][A-Za-z]+|[A-Z_]+|[\d.]+)$/;
