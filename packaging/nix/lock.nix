# package-lock.json as importNpmLock takes it: ours holds no addresses, and each entry's follows from the registry's, its name and its
# version. What is fetched is known by its `integrity`. Pure, and without nixpkgs.
{ lock, registry }:
let
  lastPart = key: let parts = builtins.split "node_modules/" key; in builtins.elemAt parts (builtins.length parts - 1);
  withAddress = key: entry:
    if key == "" || entry ? resolved then
      entry
    else
      let name = entry.name or (lastPart key); in
      entry // { resolved = "${registry}/${name}/-/${baseNameOf name}-${entry.version}.tgz"; };
in
lock // { packages = builtins.mapAttrs withAddress lock.packages; }
