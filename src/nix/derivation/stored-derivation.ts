/** A derivation as its file in the store says it (Nix's derivations.cc, `Derivation::unparse`). Pure. */
import * as v from 'valibot';

/** Texts are bytes, a character each (latin1): nobody says that they are UTF-8. */
export interface StoredDerivation {
  readonly outputs: readonly StoredOutput[];
  /** Names of the outputs that are wanted of other derivations, by the paths of those. */
  readonly inputs: readonly (readonly [path: string, outputs: readonly string[]])[];
  /** Store paths. */
  readonly sources: readonly string[];
  readonly system: string;
  readonly builder: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
}

/** `path` is empty where nobody knows it before it is built; `hash` is empty where it may be anything. */
interface StoredOutput {
  readonly name: string;
  readonly path: string;
  readonly algorithm: string;
  readonly hash: string;
}

const texts = v.array(v.string());
const schema = v.tuple([
  v.array(v.tuple([v.string(), v.string(), v.string(), v.string()])),
  v.array(v.tuple([v.string(), texts])),
  texts,
  v.string(),
  v.string(),
  texts,
  v.array(v.tuple([v.string(), v.string()])),
]);

/** Undefined for what is no derivation, or one of an experimental kind. */
export function parseStored(text: string): StoredDerivation | undefined {
  const word = 'Derive';
  if (!text.startsWith(`${word}(`)) return undefined;
  const parsed = v.safeParse(schema, new Terms(text, word.length).whole());
  if (!parsed.success) return undefined;
  const [outputs, inputs, sources, system, builder, args, env] = parsed.output;
  return {
    outputs: outputs.map(([name, path, algorithm, hash]) => ({ name, path, algorithm, hash })),
    inputs,
    sources,
    system,
    builder,
    args,
    env,
  };
}

type Term = string | Term[] | undefined;

/** Texts in quotes, in lists and tuples. */
class Terms {
  readonly #text: string;
  #at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  /** Undefined unless it is one term to the end. */
  whole(): Term {
    const term = this.#term();
    return this.#at === this.#text.length ? term : undefined;
  }

  #term(): Term {
    const open = this.#text[this.#at++];
    if (open === '"') return this.#quoted();
    const close = open === '[' ? ']' : open === '(' ? ')' : undefined;
    if (close === undefined) return undefined;
    const terms: Term[] = [];
    if (this.#take(close)) return terms;
    for (;;) {
      const term = this.#term();
      if (term === undefined) return undefined;
      terms.push(term);
      if (this.#take(close)) return terms;
      if (!this.#take(',')) return undefined;
    }
  }

  #quoted(): Term {
    let text = '';
    for (;;) {
      const from = this.#at;
      while (this.#at < this.#text.length && !'"\\'.includes(this.#text[this.#at] ?? ''))
        this.#at++;
      text += this.#text.slice(from, this.#at);
      if (this.#at >= this.#text.length) return undefined;
      if (this.#take('"')) return text;
      const escaped = this.#text[this.#at + 1] ?? '';
      text += escapes[escaped] ?? escaped;
      this.#at += 2;
    }
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
