{
  description = "A Linux remote builder for Nix, on macOS and Linux";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "aarch64-darwin" "x86_64-darwin" "aarch64-linux" "x86_64-linux" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        linuxkit-builder = pkgs.callPackage ./packaging/nix/package.nix { };
        default = linuxkit-builder;
      });
      # Of a release, since only that has the registry's address: nix run github:nix-community/linuxkit-builder/vVERSION -- up
      apps = each (pkgs: rec {
        linuxkit-builder = {
          type = "app";
          program = "${self.packages.${pkgs.stdenv.hostPlatform.system}.linuxkit-builder}/bin/linuxkit-builder";
        };
        default = linuxkit-builder;
      });
      overlays.default = final: _: { linuxkit-builder = final.callPackage ./packaging/nix/package.nix { }; };

      darwinModules.default = import ./packaging/nix/darwin.nix self;
      nixosModules.default = import ./packaging/nix/nixos.nix self;
      homeModules.default = import ./packaging/nix/home.nix self;
    };
}
