/** What is not to be told, as it is seen from its form alone. Pure. */
import { instance } from '../../config/instance.ts';
import { terminalText } from '../../system/plain-text.ts';

export const leftOut = '[left out]';

/** A name behind which a secret stands, with whatever is written around it: GITHUB_TOKEN, X-Api-Key, apiKey. */
export const secretName =
  '[\\w.-]*(?:pass(?:word|wd|phrase|code)|(?<![a-z])pass(?![a-z])|[_.-](?:pwd|auth)(?![a-z])|token|secret|credential|(?:api|access|private|signing)[-_]?key|authorization|cookie)[\\w.-]{0,40}';

/** Not within a word; the n of a line's end that JSON has written is none of the word behind it. */
const begin = (word: string): string => `(?:(?<!${word})|(?<=\\\\[bfnrt]))`;

/** Not as a part of another word. */
export const wholeWord = (word: string): RegExp =>
  new RegExp(`${begin('[\\w-]')}${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g');

/** What is written of terminals' codes by who has no terminal: JSON, printf, a log, `cat -v`. */
const writtenEscape = /(?:\\{1,8}(?:x1b|033|e)|\^\[|#033)(?=\[)/gi;
/** Where a terminal goes on elsewhere: what stood before is no part of the same word. */
const moves = /\r|\u001b\[[\d;?]*[A-HJKSTfhl]/g;

/** The text as a terminal would show it: a code within a word, or at its beginning, hides it from every form. */
export const asShown = (text: string): string =>
  terminalText(
    text
      .replaceAll(/\\{1,8}u([\da-f]{4})/gi, (_, code: string) =>
        String.fromCharCode(parseInt(code, 16)),
      )
      .replaceAll(writtenEscape, '\u001b')
      .replaceAll('\u009b', '\u001b[')
      .replaceAll(moves, ' '),
  );

/** Pages that our own words name, what everybody asks, and the builder's own address are nobody's. */
const ourAddress = `(?!builder@${instance.sshAlias}\\b|(?:(?:[\\w-]+\\.)?(?:nixos|debian)\\.org|brew\\.sh|github\\.com/(?:NixOS|containers|crc-org|apple|utmapp))(?![\\w.:@-]))`;
/** Hosts that everybody asks. */
const publicHost = '(?!(?:[\\w-]+\\.)*(?:nixos|debian)\\.org\\b|localhost\\b)';
/** With the quotation mark before it. */
const host = `(\\\\*["']?)${publicHost}(?=[\\w.-]*[a-z])[\\w-]+(?:\\.[\\w-]+)*`;
/** What has an `@` and is nobody: the guest, units, versions, ciphers. */
const noPerson = `(?!${instance.sshAlias}\\b|\\d|openssh\\.com|libssh\\.org|[\\w.\\\\-]*\\.(?:service|socket|target|mount|device|slice|scope|timer|path|swap)\\b)`;

/** A time, as our log of a console has it, journalctl and syslog. */
const time = '(?:\\d{4}-[\\d:.T+-]+Z? |[A-Z][a-z]{2} [ \\d]\\d [\\d:.]{8,15} )';
/** Who says it, and on which machine, as journalctl and syslog have it. */
const speaker = '(?:(?:[\\w.-]+ )?[\\w.@/-]+\\[\\d+\\]: )';
/** Where a line ends, as a file, a serial console or JSON writes that, and what logs, and a kernel, put before the next. */
const nextLine = `[ \\t]*(?:\\\\r)?(?:\\n|\\\\n)${time}?${speaker}?(?:\\[[ \\d.]+\\])?[ \\t]*`;
/** What stands there between the first line of a key and its words. */
const keyHeader = '(?:Proc-Type|DEK-Info|Version|Comment): [^\\n\\\\"]*';

const forms: readonly (readonly [RegExp, string])[] = [
  // The last line may be missing.
  [
    new RegExp(
      `-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:${nextLine}(?:${keyHeader}|[A-Za-z0-9+/=]+[ \\t]*)?(?=[\\n\\\\"'\`<,;)\\]]|$))*(?:${nextLine}-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?`,
      'g',
    ),
    leftOut,
  ],
  // Of one whose beginning is further up than a log is shown: its full lines, and the last.
  [/(?<![\w+/=])(?![\da-f]+(?![\w+/=])|\/|AAAAC3Nza)[A-Za-z\d+/]{60,}={0,2}(?![\w+/=])/g, leftOut],
  [
    new RegExp(
      `(?<![\\w+/=])[A-Za-z\\d+/]{1,76}={0,2}(?=${nextLine}-----END [A-Z ]{0,40}PRIVATE KEY)`,
      'g',
    ),
    leftOut,
  ],
  [new RegExp(`(?<![a-z\\d+.-])[a-z\\d+.-]+://${ourAddress}[^\\s"'\`<>]+`, 'gi'), leftOut],
  // Whatever a line says of these, it says it behind the word.
  [new RegExp(`(?<![\\w.-])(${secretName}\\\\*["']?[ \\t]*[:=][ \\t]*).*`, 'gi'), `$1${leftOut}`],
  [
    new RegExp(`(?<![\\w.-])(?=-)(${secretName}[ \\t]+)("[^"]*"|'[^']*'|\\S+)`, 'gi'),
    `$1${leftOut}`,
  ],
  [/\b(login[ \t]+)\S+([ \t]+password[ \t]+)\S+/g, `$1${leftOut}$2${leftOut}`],
  [/\b(Bearer[ \t]+)[\w.~+/=-]+/gi, `$1${leftOut}`],
  [/\b(Basic[ \t]+)(?=\S*[A-Z\d=])[\w+/]{8,}=*/g, `$1${leftOut}`],
  // Tokens that say whose they are: GitHub's, GitLab's, npm's, Amazon's, Slack's, Google's, JSON's, and Nix's keys.
  [
    new RegExp(
      `${begin('[A-Za-z\\d]')}(?:gh[opsur]_\\w{4,}|github_pat_\\w+|gl[a-z]{2,5}-[\\w-]{6,}|npm_[A-Za-z\\d]{16,}|A[KS]IA[A-Z\\d]{6,}|xox[a-z]-[\\w-]+|AIza[\\w-]{16,}|(?:sk|pypi|hf|dckr_pat)[-_][\\w-]{16,}|eyJ[\\w-]+\\.[\\w.-]+)`,
      'g',
    ),
    leftOut,
  ],
  [/(?<![\w.-])(?!cache\.nixos\.org-)[\w.-]+-\d+:[A-Za-z\d+/]{43,}=*/g, leftOut],
  [/\b(?:github|gitlab|sourcehut):(?!NixOS\/)[\w.~-]+\/[\w./?=-]+/g, leftOut],
  // Somebody at a machine, with a password or a path where there is one.
  [
    new RegExp(
      `(?<![\\w.+%~-])(?!${instance.hostName}@)[\\w.+%~-]+(?::[^\\s"'\`<>@]{1,200})?@(?:\\[[\\da-fA-F:.]+(?:%[\\w.-]+)?\\]|${noPerson}[\\w-]+(?:\\.[\\w-]+)*)(?::[^\\s"'\`<>,]+)?`,
      'g',
    ),
    leftOut,
  ],
  // An address of somebody's network; this machine's own, and those that each guest has, tell nothing.
  [
    new RegExp(
      `${begin('[\\w.+~-]')}(?!127\\.|0\\.0\\.0\\.0|10\\.0\\.2\\.|192\\.168\\.(?:65|127)\\.|169\\.254\\.)\\d{1,3}(?:\\.\\d{1,3}){3}(?![\\w.+~-]*\\w)`,
      'g',
    ),
    leftOut,
  ],
  [
    new RegExp(
      `${begin('[\\w:.]')}(?:(?:[\\da-f]{1,4}:){3,7}[\\da-f]{1,4}|(?:[\\da-f]{1,4}:)+:[\\da-f:]*)(?![\\w:])`,
      'gi',
    ),
    leftOut,
  ],
  // A host that was not found, or not reached; and one whose name says that it is of somebody's network.
  [
    new RegExp(`\\b(ENOTFOUND |EAI_AGAIN |resolve host(?:name)?:? |connect to host )${host}`, 'gi'),
    `$1$2${leftOut}`,
  ],
  [
    new RegExp(
      `\\b(lookup |resolving |resolve the host |connect(?:ing)? to |Host: |DNS:)${host}(?<=\\.[\\w-]+|(?= port | on ))`,
      'gi',
    ),
    `$1$2${leftOut}`,
  ],
  [
    /(?<![\w.-])(?:(?!host\.|gateway\.)[\w-]+\.)(?:[\w-]+\.)*(?:lan|local|corp|internal|intranet|home\.arpa)\b(?![\w-]|\.\w)/gi,
    leftOut,
  ],
  [/(\/(?:Users|home)\/)(?!linuxbrew\b|Shared\b)[^\s/"'`:;,<>()\\]+/g, '$1(user)'],
  // What ssh repeats of a file that it has found wanting.
  [/(Bad configuration option: )\S+/g, `$1${leftOut}`],
  [/(\bline \d+: [^\n"]{0,2000} )"[^"\n]*"/g, `$1${leftOut}`],
  // Records that earlier releases have written repeat what a parser could not read, in several lines where the file had such.
  [/is (not (?:valid )?JSON|damaged)[ :](?:[^]{0,200}? is not valid JSON)?.*/g, `is $1 ${leftOut}`],
  // Of what is built the hash is enough, and of a build's directory its number.
  [/(?<![\da-z])([\dabcdfghijklmnpqrsvwxyz]{32})-[\w+.?=-]+/g, `$1-${leftOut}`],
  [/(?<![a-z])nix-build-[\w+.?=-]{1,255}-(\d+)/g, `nix-build-${leftOut}-$1`],
  [/(?<![\w+.?=-])[\w+.?=-]+\.drv\b/g, `${leftOut}.drv`],
];

/** The text without what is to be left out whoever it belongs to. */
export const withoutForms = (text: string): string =>
  forms.reduce((rest, [form, instead]) => rest.replaceAll(form, instead), text);
