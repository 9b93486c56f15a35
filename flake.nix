# SPDX-License-Identifier: MIT
{
  description = "A compiler for microVMs, and NixOS modules for guests and hosts";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [ "x86_64-linux" "aarch64-linux" ];
      of = lib.genAttrs systems (system: import ./. { pkgs = nixpkgs.legacyPackages.${system}; });
      each = attribute: lib.mapAttrs (system: ours: ours.${attribute}) of;
      any = of.x86_64-linux;
    in
    {
      inherit (any) lib overlays;
      # Old versions of nix flake check take no paths; as imports, they stay known by their paths.
      nixosModules = lib.mapAttrs (name: path: { imports = [ path ]; }) any.nixosModules;
      packages = each "packages";
      apps = each "apps";
      checks = each "checks";

      # microvm -c NAME -f FLAKE finds them by these names.
      nixosConfigurations = lib.concatMapAttrs (system: lib.mapAttrs'
        (name: lib.nameValuePair "${system}-${name}")) (each "nixosConfigurations");

      # As microvm.nix has them.
      overlay = self.overlays.default;
      defaultTemplate = self.templates.default;
      templates.microvm = self.templates.default;

      templates.default = {
        path = ./templates/starter/nixos;
        description = "A flake with a NixOS microVM";
      };
    };
}
