/** What Nix's own programs answer, whichever version they are. Pure. */
import * as v from 'valibot';
import type { Derivation, NixConfig } from './destination.ts';

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
    features: words('system-features'),
    maxJobs: typeof jobs === 'number' ? jobs : Number.parseInt(textOf(jobs), 10) || 1,
    builders: textOf(value('builders')),
  };
}

const drvSchema = v.looseObject({
  system: v.string(),
  builder: v.optional(v.string(), ''),
  env: v.optional(v.record(v.string(), v.unknown()), {}),
  structuredAttrs: v.optional(v.record(v.string(), v.unknown())),
  outputs: v.optional(
    v.record(v.string(), v.looseObject({ path: v.optional(v.nullable(v.string())) })),
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
  return {
    path: first[0],
    system,
    builtin: builder.startsWith('builtin:'),
    features: Array.isArray(features)
      ? features.map(String)
      : textOf(features).split(/\s+/).filter(Boolean),
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
