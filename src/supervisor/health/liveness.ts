/** Is the guest alive? Pure: what was seen of it, and what that means. */

/** Counters that grow while something happens in the guest; any one growing is a sign of life. */
export interface Signs {
  /** Answers of the guest agent. */
  readonly agent: number;
  /** Greetings of sshd. */
  readonly sshd: number;
  /** Logins that were answered from inside. */
  readonly login: number;
  /** Bytes on the console. */
  readonly console: number;
  /** Operations of the disk; undefined where nobody asked, which is no sign. */
  readonly disk: number | undefined;
  /** Bytes that came from the guest through the front door. */
  readonly door: number;
}

/** The last signs, and since when (monotonic ms) the agent is silent and nothing at all has moved: undefined while it answers. */
export interface Liveness {
  readonly signs: Signs;
  readonly quietSince: number | undefined;
  readonly silentSince: number | undefined;
}

/** `slow`: its agent does not answer. `frozen`: and nothing else of it has moved for {@link frozenMs}. */
export type Health = 'well' | 'slow' | 'frozen';

/** Nothing at all moved for so long: frozen. A guest that only answers late is slow, whatever it is busy with. */
export const frozenMs = 20_000;

/** Before the first look. */
export const noSigns: Signs = {
  agent: 0,
  sshd: 0,
  login: 0,
  console: 0,
  disk: undefined,
  door: 0,
};

/** A pulse that begins now: after readiness, and after a sleep, in which nothing could move. */
export const freshLiveness = (signs: Signs = noSigns): Liveness => ({
  signs,
  quietSince: undefined,
  silentSince: undefined,
});

/** A question to the agent was left unanswered since then, and as far as is known nothing else moved either. */
export const unanswered = (pulse: Liveness, asked: number): Liveness => ({
  signs: pulse.signs,
  quietSince: pulse.quietSince ?? asked,
  silentSince: pulse.silentSince ?? asked,
});

/** The pulse after a look: what moved has moved until now. */
export function observe(pulse: Liveness, signs: Signs, now: number): Liveness {
  const names = Object.keys(signs) as (keyof Signs)[];
  const moved = names.some(
    (name) => pulse.signs[name] !== undefined && !Object.is(signs[name], pulse.signs[name]),
  );
  if (pulse.silentSince === undefined || signs.agent !== pulse.signs.agent)
    return freshLiveness(signs);
  return { ...pulse, signs, quietSince: moved ? now : pulse.quietSince };
}

/** `now`: by the same clock as the marks. */
export function healthOf({ quietSince, silentSince }: Liveness, now: number): Health {
  if (quietSince !== undefined && now - quietSince >= frozenMs) return 'frozen';
  return silentSince === undefined ? 'well' : 'slow';
}
