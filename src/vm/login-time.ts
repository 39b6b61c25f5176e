/**
 * How long sshd gives a client that it has greeted to log in, in seconds: told to the guest, and counted on by the front door. Nobody
 * needs the whole of it, but a guest that is emulated and busy.
 */
export const loginSeconds = (accelerator: string | undefined): number =>
  accelerator === 'tcg' ? 60 : 20;
