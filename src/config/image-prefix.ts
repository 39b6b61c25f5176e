/** Where the images of a state directory lie: a prefix for each system, from which the names of an image's files are made. */
import { join } from 'node:path';
import { debianArch, nativeSystem, type System } from '../domain/guest-system.ts';
import type { Layout } from './layout.ts';

/** Prefix of the image that `image build` makes for a system; the host's own has the plain name. */
export const builtImage = (layout: Pick<Layout, 'images'>, system: System): string =>
  named('builder', layout, system);

/** Prefix of the last one that got ready. */
export const goodImage = (layout: Pick<Layout, 'images'>, system: System): string =>
  named('good', layout, system);

const named = (name: string, { images }: Pick<Layout, 'images'>, system: System): string =>
  join(images, system === nativeSystem(process.arch) ? name : `${name}-${debianArch(system)}`);
