/** The mirror that is taken and why: apt's sources are a guess, and what does not serve is left for the next and for the default. */
import { Failed } from '../../system/failure.ts';
import { defaultMirror, findMirror, mirrorsOfApt, plainMirror, type Mirror } from './mirror.ts';

interface ChosenMirror extends Mirror {
  /** For people: which it is, and why, with what was passed over. */
  readonly because: string;
}

interface ChooseMirrorOptions {
  /** Throws Failed where a mirror does not serve what is needed. */
  readonly ask: (url: string) => Promise<void>;
  readonly etc?: string;
}

/** So many of apt's are asked, at most. */
const most = 5;

/** `chosen` if given; else the first of apt's that serves; else the default, without TLS where that does not serve. */
export async function chooseMirror(
  chosen: string | undefined,
  { ask, etc }: ChooseMirrorOptions,
): Promise<ChosenMirror> {
  if (chosen !== undefined) return { ...findMirror(chosen), because: 'as requested.' };
  const { urls, others } = mirrorsOfApt(etc);
  const passedOver = others.map((each) => `${each}.`);
  const because = (first: string) =>
    passedOver.length === 0 ? `${first}.` : `${first}; skipped: ${passedOver.join(' ')}`;
  for (const url of urls.slice(0, most))
    try {
      await ask(url);
      return { url, from: 'apt sources', because: because("from this machine's apt sources") };
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      passedOver.push(error.failure.message);
    }
  const none =
    passedOver.length === 0
      ? "the default, as this machine's apt sources name no mirror"
      : 'the default';
  const url = await ask(defaultMirror).then(
    () => defaultMirror,
    (error: unknown) => {
      if (!(error instanceof Failed)) throw error;
      passedOver.push(error.failure.message);
      return plainMirror;
    },
  );
  return { url, from: 'default', because: because(none) };
}
