# SPDX-License-Identifier: MIT
# The runners: an image that mvmbuild makes of the configuration, and links to what the host needs.
{ config, options, lib, pkgs, modulesPath, extendModules, ... }@args:

let
  inherit (lib) optional;
  cfg = config.microvm;
  host = cfg.vmHostPackages;
  hypervisors = import ./hypervisors.nix;

  interfaces = lib.any (interface: interface.type != "user") cfg.interfaces;
  fileSystems = lib.unique (map (volume: volume.fsType)
    (lib.filter (volume: volume.autoCreate) cfg.volumes));
  mkfs = {
    btrfs = host.btrfs-progs;
    exfat = host.exfatprogs;
    f2fs = host.f2fs-tools;
    vfat = host.dosfstools;
    xfs = host.xfsprogs;
  };

  # What the scripts of this VM use beside coreutils, tar and gzip.
  programs = optional interfaces host.iproute2
    ++ optional (cfg.devices != [ ]) host.kmod
    ++ optional (lib.any (volume: volume.mkfsExtraArgs != [ ]) cfg.volumes) host.e2fsprogs
    ++ optional cfg.registerWithMachined host.systemd
    ++ map (type: mkfs.${type}) (lib.filter (type: mkfs ? ${type}) fileSystems);

  compiler = {
    inherit (host) bash coreutils;
    mvmbuild = cfg.mvmbuild.package;
    system = pkgs.stdenv.buildPlatform.system;
    description = import ./description.nix args;
  };

  own = import ../runner.nix (compiler // {
    inherit (host) gnutar gzip;
    inherit (cfg.mvmbuild) extraArgs;
    inherit programs;
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
