/** What Nix's own programs answer, whichever version they are. Pure. */
import * as v from 'valibot';
import type { Derivation, NixConfig } from './build-routing.ts';

const anyValue = v.looseObject({ value: v.unknown() });

/** `show-config --json` or `config show --json`; undefined when it is something else. */
export function parseConfig(text: string): NixConfig | undefined {
  const parsed = v.safeParse(v.record(v.string(), anyValue), json(text));
  if (!parsed.success) return undefined;
  const value = (name: string): unknown => parsed.output[name]?.value;
  const words = (name: string): string[] => {
    const found = value(name);
    return Array.isArray(found) ? found.map(String) : textOf(found).split(/\s+/).filter(Boolean);
  };
  const jobs = value('max-jobs');
  return {
    system: textOf(value('system')),
    extraPlatforms: words('extra-platforms'),
    features: [
      ...new Set([...words('system-features'), ...implied(words('experimental-features'))]),
    ],
    maxJobs: typeof jobs === 'number' ? jobs : Number.parseInt(textOf(jobs), 10) || 1,
    builders: textOf(value('builders')),
  };
}

/** Features that a store has by experimental features alone: `StoreConfig::getDefaultSystemFeatures` in Nix's store-api.cc. */
const implied = (experimental: readonly string[]): string[] =>
  experimental.filter((name) => name === 'ca-derivations' || name === 'recursive-nix');

const drvSchema = v.looseObject({
  system: v.string(),
  builder: v.optional(v.string(), ''),
  env: v.optional(v.record(v.string(), v.unknown()), {}),
  structuredAttrs: v.optional(v.record(v.string(), v.unknown())),
  outputs: v.optional(
    v.record(
      v.string(),
      v.looseObject({ path: v.optional(v.nullable(v.string())), hash: v.optional(v.unknown()) }),
    ),
    {},
  ),
});

/** `show-derivation` or `derivation show`: the first one; newer versions put them below a key of its own. */
export function parseDerivation(text: string): Derivation | undefined {
  const outer = v.safeParse(v.record(v.string(), v.unknown()), json(text));
  if (!outer.success) return undefined;
  const inner = v.safeParse(v.record(v.string(), v.unknown()), outer.output['derivations']);
  const [first] = Object.entries(inner.success ? inner.output : outer.output);
  if (first === undefined) return undefined;
  const parsed = v.safeParse(drvSchema, first[1]);
  if (!parsed.success) return undefined;
  const { system, builder, env, structuredAttrs, outputs } = parsed.output;
  const attributes = structuredAttrs ?? structured(env['__json']) ?? env;
  const features = attributes['requiredSystemFeatures'];
  const preferLocal = attributes['preferLocalBuild'];
  // Nix requires this of itself where it does not know where an output will be: `getRequiredSystemFeatures`, since 2.4.
  const isFloating = Object.values(outputs).some(
    ({ path, hash }) => typeof path !== 'string' && hash === undefined,
  );
  const named = Array.isArray(features)
    ? features.map(String)
    : textOf(features).split(/\s+/).filter(Boolean);
  return {
    path: first[0],
    system,
    builtin: builder.startsWith('builtin:'),
    features: [...new Set([...named, ...(isFloating ? ['ca-derivations'] : [])])],
    preferLocal: preferLocal === true || preferLocal === '1',
    outputs: Object.values(outputs).flatMap(({ path }) => (typeof path === 'string' ? [path] : [])),
  };
}

function structured(text: unknown): Record<string, unknown> | undefined {
  const parsed = v.safeParse(v.record(v.string(), v.unknown()), json(textOf(text)));
  return parsed.success ? parsed.output : undefined;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
