# Where npm's packages are. No committed file says it: `scripts/release` writes it into the commit of a release, from npm's own
# configuration, as packaging/nix/registry.
{ file ? ./registry }:
if builtins.pathExists file then
  builtins.head (builtins.match "[[:space:]]*([^[:space:]]*[^[:space:]/])/?[[:space:]]*" (builtins.readFile file))
else
  throw "linuxkit-builder: ${toString file} is missing, so Nix does not know where npm's packages are. Releases contain this file. In a checkout, run: npm config get registry >packaging/nix/registry, and git add -f packaging/nix/registry"
