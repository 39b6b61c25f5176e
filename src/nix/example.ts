/** example.nix: the smallest build that only the builder can do. */
import { builderFeature } from '../config/config.ts';

/**
 * Needs neither nixpkgs nor a network; is another derivation in each second, so that it is built and not found; requires a
 * feature that no local machine has, since a Linux host would otherwise build it itself. Under a name of its own it is
 * another one than anybody's of the same second. It requires what the builder is kept for, if it is kept for something.
 */
export function exampleNix(
  system: string,
  {
    name = 'example',
    mandatoryFeatures = [],
  }: { readonly name?: string; readonly mandatoryFeatures?: readonly string[] } = {},
): string {
  const required = [...new Set([builderFeature, ...mandatoryFeatures])];
  return `# Built by the Linux builder and nowhere else: nix-build example.nix && cat result
# Its environment has a shell and nothing else, not even cat or uname: a build of your own names the packages that it needs.
derivation {
  name = "linuxkit-builder-${name}-\${toString builtins.currentTime}";
  system = "${system}";
  # Never fetched from a binary cache, so it needs no network.
  allowSubstitutes = false;
  requiredSystemFeatures = [ ${required.map((each) => `"${each}"`).join(' ')} ];
  builder = "/bin/sh";
  # Writes the version of the kernel that it was built under, with what the shell itself can do.
  args = [ "-c" "read -r kernel < /proc/version; echo \\"$kernel\\" > \\"$out\\"" ];
}
`;
}
