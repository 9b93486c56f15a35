# SPDX-License-Identifier: MIT
# Real NixOS, evaluated and not built, for e2e/nix/nixpkgs_test.sh: `guest` with
# templates/nix/guest.nix, `host` with the host module of microvm.nix.
{
  nixpkgs,
  mounts ? null, # mvmbuild plan --mounts
  reference ? null, # sources of microvm.nix
}:

let
  # Functions that microvm.nix's module uses and that only a newer nixpkgs has.
  lib = (import (nixpkgs + "/lib")).extend (self: super: {
    getExe' = super.getExe' or (package: name: "${super.getBin package}/bin/${name}");
    literalExpression = super.literalExpression or super.literalExample;
  });
  system = modules: import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit lib modules;
    system = "x86_64-linux";
  };
  machine = {
    boot.loader.grub.enable = false;
    fileSystems."/" = lib.mkDefault { device = "tmpfs"; fsType = "tmpfs"; };
    # They are built in Haskell, and a small copy of nixpkgs may lack it.
    nixpkgs.overlays = [
      (final: previous: {
        shellcheck = previous.hello;
        shellcheck-minimal = previous.hello // { compiler.bootstrapAvailable = false; };
      })
    ];
  };
  known = (system [ machine ]).options;

  host = (system [
    machine
    (reference + "/nixos-modules/host")
    {
      options = if known.systemd.tmpfiles ? settings then { } else {
        systemd.tmpfiles.settings = lib.mkOption { type = lib.types.attrs; };
      };
    }
  ]).config;
  ours = set: lib.filterAttrs (name: value: lib.hasPrefix "microvm" name) set;
in
{
  # From 24.05 on.
  knowsOverlay = known.fileSystems.type.getSubOptions [ ] ? overlay;

  guest = (system [
    machine (import ../../../../templates/nix/guest.nix mounts) { services.openssh.enable = true; }
  ]).config;

  host = {
    units = lib.mapAttrs (name: unit: unit.text) (ours host.systemd.units);
    scripts = lib.mapAttrs (name: service: service.script) (ours host.systemd.services);
    # Of /run/current-system/sw/bin.
    programs = map (package: package.pname or package.name) host.environment.systemPackages;
  };
}
