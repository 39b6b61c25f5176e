/** Debian's control format: paragraphs of `Field: value`, continued by lines that begin with a space (deb822(5)). */

/** One paragraph, its fields by their names in lower case; continued lines are joined by newlines. */
export type Paragraph = ReadonlyMap<string, string>;

/** All paragraphs of a text, in order. Only the fields that are wanted, when that is given: an index has 60000 of them. */
export function* paragraphs(text: string, wanted?: ReadonlySet<string>): Generator<Paragraph> {
  let fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of linesOf(text)) {
    if (line.trim() === '') {
      if (fields.size > 0) yield fields;
      fields = new Map();
      last = undefined;
    } else if (line.startsWith('#')) continue;
    else if (line.startsWith(' ') || line.startsWith('\t')) {
      if (last !== undefined) fields.set(last, `${fields.get(last) ?? ''}\n${line.trim()}`);
    } else {
      const colon = line.indexOf(':');
      last = colon < 0 ? undefined : line.slice(0, colon).toLowerCase();
      if (last !== undefined && wanted?.has(last) === false) last = undefined;
      if (last !== undefined) fields.set(last, line.slice(colon + 1).trim());
    }
  }
  if (fields.size > 0) yield fields;
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    yield text.slice(from, end < 0 ? text.length : end);
    from = end < 0 ? text.length : end + 1;
  }
}
