/** Lets in those who wait at the door, as many at a time as the guest and this process can take. */
import type { Socket } from 'node:net';
import type { Tunnel } from '../domain/tunnel.ts';
import type { Log } from '../system/log.ts';
import type { Clock } from '../system/time/clock.ts';
import { ConnectThrottle } from './connect-throttle.ts';
import type { DoorLimits } from './door-limits.ts';
import { reachGuest } from './guest-connection.ts';
import { splice } from './splice.ts';
import type { Through } from './through.ts';
import type { Client, WaitingRoom } from './waiting-room.ts';

interface AdmissionOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly room: WaitingRoom;
  readonly through: Through;
  readonly limits: () => DoorLimits;
  /** One that is through came or went. */
  readonly onChange: () => void;
}

/** Somewhat above what sshd needs to greet one client on a slow guest (40 ms, emulated); a crowd is as fast as without. */
const turnMs = 100;
/** Between two looks whether somebody can be let in. */
const againMs = 250;
/** Far less than the 30 s after which HyperKit cuts a half-closed stream off. */
const lateEndMs = 3_000;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #throttle: ConnectThrottle;
  #isSoon = false;
  #cancelAgain: () => void = () => undefined;
  /** Where the guest is; undefined while nobody is let in. */
  tunnel: Tunnel | undefined;
  /** A connection that the guest has greeted already. */
  #greeted: Socket | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#throttle = new ConnectThrottle(options.clock, turnMs);
  }

  /** Whoever is let in now goes through that connection; it is closed where nobody is. */
  nowBy(greeted: Socket | undefined): void {
    this.#greeted = greeted;
    this.now();
    this.#greeted?.destroy();
    this.#greeted = undefined;
  }

  /** Once for all that happens now: a crowd is looked through as a whole. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      this.now();
    });
  }

  /** Lets in whoever may come in now. */
  now(): void {
    const { tunnel } = this;
    const { room, clock } = this.#options;
    this.stop();
    if (tunnel === undefined || room.counts().held === 0) return;
    for (const client of this.#admitted(tunnel)) void this.#letThrough(client, tunnel);
    // Newcomers grow old, and nobody may tell of it; whose a client is, is asked now and then.
    if (room.counts().held > 0) this.#cancelAgain = clock.after(againMs, () => this.now());
  }

  /** Nobody is let in any more but by another call. */
  stop(): void {
    this.#cancelAgain();
  }

  /** Whose turn it is, as far as there is room. */
  #admitted(tunnel: Tunnel): readonly Client[] {
    const { room, through } = this.#options;
    const limits = this.#options.limits();
    const { held, opening } = room.counts();
    const { count, newcomers, mute } = through;
    const slots = Math.min(
      limits.handshakes,
      limits.newcomers - newcomers,
      (tunnel.kind === 'unix' ? (tunnel.atMost ?? Infinity) : Infinity) - count,
      (limits.descriptors - held) / 2 - count,
    );
    if (slots <= opening) return [];
    const isCrowd = held + newcomers > limits.few;
    if (isCrowd) room.identify(through);
    return room.admit({
      slots,
      mute: limits.mute - mute,
      perUser: limits.perUser,
      others: limits.others,
      unasked: !isCrowd,
      through: through.newcomersByUser,
      random: Math.random,
    });
  }

  async #letThrough(client: Client, tunnel: Tunnel): Promise<void> {
    const { room, through, clock, log, onChange } = this.#options;
    const { signal } = client.attempt;
    const guest =
      this.#takeGreeted() ??
      (await reachGuest(tunnel, { ...this.#options, signal, throttle: this.#throttle }));
    if (guest === undefined) return;
    if (signal.aborted) return void guest.destroy();
    const user = room.forget(client);
    const pair = through.add({
      number: client.number,
      user,
      client: client.held.giveBack(),
      guest,
    });
    onChange();
    const end = await splice(pair.client, guest, { clock, silenceMs: silenceOf(tunnel) });
    through.remove(pair);
    log(end.kind === 'reset' ? 'info' : 'debug', 'door-ended', { client: client.number, ...end });
    onChange();
  }

  #takeGreeted(): Socket | undefined {
    const greeted = this.#greeted;
    this.#greeted = undefined;
    return greeted?.readable === true ? greeted : undefined;
  }
}

/** Where both ends of a connection end together, nothing more comes of a half. */
const silenceOf = (tunnel: Tunnel): number | undefined =>
  tunnel.kind === 'unix' && tunnel.endsTogether === true ? lateEndMs : undefined;
