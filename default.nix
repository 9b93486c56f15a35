# SPDX-License-Identifier: MIT
# What flake.nix has, for one package set and without flakes:
#
#   nix-build -A mvmbuild
#   nix-build -A packages.qemu-example && ./result/bin/microvm-run
{
  pkgs ? import <nixpkgs> { },
}:

let
  inherit (pkgs) lib;
  modules = {
    # A NixOS that runs as a microVM, a host of microVMs, and the options alone.
    microvm = ./templates/nix/microvm;
    host = ./templates/nix/host;
    microvm-options = ./templates/nix/microvm/options.nix;
    # Beside microvm.nix's own module microvm: its runners are made by mvmbuild.
    runners-only = ./templates/nix/runners-only.nix;
  };
  mvmbuild = pkgs.callPackage ./package.nix { };
  systems = import ./templates/nix/flake/examples.nix { inherit pkgs modules; };
  runners = lib.mapAttrs (name: nixos: nixos.config.microvm.declaredRunner) systems;
in
{
  inherit mvmbuild;
  lib = import ./templates/nix/lib.nix;
  nixosModules = modules;
  nixosConfigurations = systems;
  overlays.default = final: prev: {
    mvmbuild = final.callPackage ./package.nix { };
  };
  packages = {
    inherit mvmbuild;
    default = mvmbuild;
    # For `nix run .#microvm`.
    microvm = mvmbuild // { meta = mvmbuild.meta // { mainProgram = "microvm"; }; };
  } // runners;
  apps = {
    default = {
      type = "app";
      program = "${mvmbuild}/bin/mvmbuild";
    };
    microvm = {
      type = "app";
      program = "${mvmbuild}/bin/microvm";
    };
  } // lib.mapAttrs (name: runner: {
    type = "app";
    program = "${runner}/bin/microvm-run";
  }) runners;
  checks = import ./templates/nix/flake/checks.nix { inherit pkgs modules mvmbuild systems; };
}
