import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { buildRequest } from '../../src/nix/derivation/build-request.ts';
import { parseStored } from '../../src/nix/derivation/stored-derivation.ts';
import { toDebug } from '../../src/nix/derivation/to-debug.ts';
import { Failed } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

const tree = mkdtempSync(join(tmpdir(), 'lk-debug-'));
afterEach(() => removeTree(tree));

const hash = 'lss87m7gv2hzxafnn0f8r7jwzv8fhrkj';
const at = (name: string) => `/nix/store/${hash}-${name}`;
/** As `nix-instantiate` writes it. */
const derive = ({
  outputs = `("out","${at('fails')}","","")`,
  inputs = '',
  builder = '/bin/sh',
}): string =>
  `Derive([${outputs}],[${inputs}],["${at('source')}"],"x86_64-linux","${builder}",["-c","exit 3"],[("name","fails"),("out","${at('fails')}")])`;

function store(name: string, text: string): string {
  mkdirSync(join(tree, 'nix/store'), { recursive: true });
  writeFileSync(join(tree, at(name)), text, 'latin1');
  return at(name);
}

describe('a derivation as it is in the store', () => {
  test('is read with what is quoted in it, byte by byte', () => {
    const text = String.raw`Derive([],[],[],"s","/bin/sh",[],[("a","\"\\\n\r\t\x` + '\xff")])';
    expect(parseStored(text)?.env).toEqual([['a', '"\\\n\r\tx\xff']]);
  });

  test.each([
    '',
    'Derive(',
    'Derive("")',
    `${derive({})} `,
    derive({}).slice(0, -1),
    '\0',
    'Derive([("out")],[],[],"s","b",[],[])',
    'Derive([,],[],[],"s","b",[],[])',
    'Derive(["a" "b"])',
    'DrvWithVersion("xp-dyn-drv",[],([],[]),[],"s","b",[],[])',
    `Derive(["a\\`,
  ])('%j is none', (text) => expect(parseStored(text)).toBeUndefined());
});

// Behaviour 242: `debug` accepts any derivation that can be built in the guest, and says why if it refuses another.
describe('what is to be debugged', () => {
  test('comes with the outputs of others that it wants, and with its sources', () => {
    const outputs = `("dev","${at('lib-dev')}","",""),("out","${at('lib')}","","")`;
    const lib = store('lib.drv', derive({ outputs }));
    const path = store('fails.drv', derive({ inputs: `("${lib}",["dev"])` }));
    expect(toDebug(path, tree)).toMatchObject({
      path,
      name: `${hash}-fails.drv`,
      inputs: [at('lib-dev'), at('source')],
      derivation: { builder: '/bin/sh', args: ['-c', 'exit 3'], system: 'x86_64-linux' },
    });
  });

  test.each([
    at('fails.drv'),
    `${at('fails.drv')}^out`,
    `${at('fails.drv')}^out,dev`,
    `${at('fails.drv')}^*`,
    `${at('fails.drv')}!out`,
    `${hash}-fails.drv`,
    `${hash}-fails.drv^out`,
  ])('may be written as %s', (word) => {
    const path = store('fails.drv', derive({}));
    expect(toDebug(word, tree)).toMatchObject({ path, name: `${hash}-fails.drv` });
  });

  test.each([
    ['', 64],
    ['fails.drv', 64],
    [`store/${hash}-fails.drv`, 64],
    [`${at('fails.drv')}^`, 64],
    [`${at('fails.drv')}^out^dev`, 64],
    [`${at('fails.drv')}^out,`, 64],
    [`${at('fails')}^out`, 64],
    ['./default.nix', 64],
    ['nixpkgs#hello', 64],
    [at('fails'), 64],
    [`${at('fails.drv')}\n`, 64],
    [at("fa'ils.drv"), 64],
    [`/nix/store/../store/${hash}-fails.drv`, 64],
    [`${at('x'.repeat(200))}.drv`, 64],
    [`/nix/store/${hash.replace('l', 'e')}-fails.drv`, 64],
    [at('.fails.drv'), 64],
    [at('gone.drv'), 66],
  ])('is not %j', (path, exit) => expect(refusal(path).exit).toBe(exit));

  test.each([
    ['is written otherwise', 'Derive(', 'derivation-not-understood'],
    ['Nix does itself', derive({ builder: 'builtin:fetchurl' }), 'derivation-not-understood'],
    [
      'has no place yet',
      derive({ outputs: '("out","","r:sha256","")' }),
      'derivation-not-understood',
    ],
    [
      'has none before its inputs have',
      derive({ outputs: '("out","","","")' }),
      'derivation-not-understood',
    ],
    [
      'wants what is gone',
      derive({ inputs: `("${at('gone.drv')}",["out"])` }),
      'derivation-not-read',
    ],
  ])('is none that %s', (_, text, kind) =>
    expect(refusal(store('fails.drv', text))).toMatchObject({ kind }),
  );

  test('is none that wants what has no place yet', () => {
    const floating = store('floating.drv', derive({ outputs: '("out","","r:sha256","")' }));
    const path = store('fails.drv', derive({ inputs: `("${floating}",["out"])` }));
    expect(refusal(path)).toMatchObject({ kind: 'derivation-not-understood', exit: 65 });
  });
});

function refusal(path: string) {
  try {
    toDebug(path, tree);
  } catch (error) {
    if (error instanceof Failed) return error.failure;
    throw error;
  }
  throw new Error('it was taken');
}

test("a request is what Nix's serve protocol says, in the bytes of the derivation", () => {
  const derivation = parseStored(derive({}).replace('exit 3', 'exit 3 # \xe9'));
  if (derivation === undefined) throw new Error('no derivation');
  const request = buildRequest({ path: at('fails.drv'), derivation, inputs: [at('source')] });
  const words: (number | string)[] = [];
  // Numbers are small, and no text here is as short as their bytes are low.
  for (let offset = 0; offset < request.length;) {
    const value = Number(request.readBigUInt64LE(offset));
    offset += 8;
    const text = request.toString('latin1', offset, offset + value);
    const isText = value > 1 && text.length === value && /^[\x20-\xff]+$/.test(text);
    words.push(isText ? text : value);
    if (isText) {
      const padding = request.subarray(offset + value, offset + Math.ceil(value / 8) * 8);
      expect(padding.every((byte) => byte === 0)).toBe(true);
      offset += Math.ceil(value / 8) * 8;
    }
  }
  expect(words).toEqual([
    0x390c9deb,
    0x207,
    8,
    at('fails.drv'),
    1,
    'out',
    at('fails'),
    0,
    0,
    1,
    at('source'),
    'x86_64-linux',
    '/bin/sh',
    2,
    '-c',
    'exit 3 # \xe9',
    2,
    'name',
    'fails',
    'out',
    at('fails'),
    0,
    0,
    0,
    0,
    0,
    1,
  ]);
});
