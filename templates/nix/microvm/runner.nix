# SPDX-License-Identifier: MIT
# The runners: an image that mvmbuild makes of the configuration, and links to what the host needs.
{ config, options, lib, pkgs, modulesPath, extendModules, ... }@args:

let
  cfg = config.microvm;
  hypervisors = import ./hypervisors.nix;

  compiler = {
    # They run where the runner is built.
    inherit (pkgs.buildPackages) bash coreutils;
    mvmbuild = cfg.mvmbuild.package;
    system = pkgs.stdenv.buildPlatform.system;
    description = import ./description.nix args;
  };

  own = import ../runner.nix (compiler // {
    inherit (cfg.mvmbuild) extraArgs;
    layers = import ../layers.nix (compiler // { inherit (cfg.mvmbuild) layers; });
  });

  # The guest's file systems and modules depend on the hypervisor.
  runnerOf = name:
    if name == cfg.hypervisor then own
    else (extendModules {
      modules = [ { microvm.hypervisor = lib.mkForce name; } ];
    }).config.microvm.runner.${name};
in
{
  microvm.runner = lib.genAttrs hypervisors.names runnerOf;
}
