import type { CliContext } from '../../command/context.ts';
import type { Layout } from '../../config/layout.ts';
import { notRegistered } from '../../nix/registration.ts';

/** Says so where the builder is ready and Nix does not know of it. */
export function tellUnregistered(layout: Layout, context: CliContext): void {
  const why = notRegistered(layout, context);
  if (why !== undefined) context.err(why);
}
