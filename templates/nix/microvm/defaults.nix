# SPDX-License-Identifier: MIT
# The defaults that depend on the rest of the configuration. They are weaker than lib.mkDefault, and
# stronger than the null that ../options.nix has for an option that is not given.
{ config, lib, pkgs, ... }:

let
  inherit (lib) genAttrs mkIf mkOption types;
  cfg = config.microvm;
  host = cfg.vmHostPackages;
  hypervisors = import ./hypervisors.nix;
  derived = lib.mkOverride (import ./priority.nix);

  # The id that mvmbuild derives from the name.
  machineId =
    let
      hash = builtins.hashString "sha256" "microvm.nix:${cfg.hostName}";
      part = start: length: builtins.substring start length hash;
    in
    lib.concatStringsSep "-" [ (part 0 8) (part 8 4) (part 12 4) (part 16 4) (part 20 12) ];

  packages = genAttrs hypervisors.names (name: host.${hypervisors.packages.${name}}) // {
    # With KVM for the host's architecture only, where that is enough.
    qemu =
      if cfg.cpu == null && host.stdenv.hostPlatform.isLinux then host.qemu_kvm else host.qemu;
    cloud-hypervisor =
      if cfg.graphics.enable then host.cloud-hypervisor-graphics else host.cloud-hypervisor;
    # Its display is not used, and brings GTK with it.
    stratovirt =
      if cfg.optimize.enable && (host.stratovirt.override.__functionArgs or { }) ? gtk3
      then host.stratovirt.override { gtk3 = null; }
      else host.stratovirt;
  };

  machine = {
    x86_64-linux = "microvm";
    aarch64-linux = "virt";
    aarch64-darwin = "virt";
  }.${pkgs.stdenv.hostPlatform.system} or null;

  share = types.submodule ({ config, ... }: {
    config = {
      socket = mkIf (config.proto == "virtiofs")
        (derived "${cfg.hostName}-virtiofs-${config.tag}.sock");
      readOnly = derived false;
    };
  });
in
{
  # Types of the same option are merged.
  options.microvm.shares = mkOption { type = types.listOf share; };

  config.microvm = lib.mkMerge [
    (genAttrs hypervisors.names (name: { package = derived packages.${name}; }))
    {
      hostName = derived config.networking.hostName;
      toplevel = derived config.system.build.toplevel;
      kernel = derived config.boot.kernelPackages.kernel;
      initrdPath = derived
        "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}";
      qemu.machine = mkIf (machine != null) (derived machine);
      socket = derived "${cfg.hostName}.sock";
      machineId = derived machineId;
      hotpluggedMem = derived cfg.hotplugMem;
      storeOnDisk = derived (!lib.any (share: share.source == cfg.storeDir) cfg.shares);
      storeDiskType = derived cfg.storeDisk.type;
      systemSymlink = derived (!cfg.storeOnDisk);
      registerClosure = derived cfg.guest.enable;
      virtiofsd.package = derived host.virtiofsd;
      firecracker.extraConfig = derived { };
      graphics = {
        socket = derived "${cfg.hostName}-gpu.sock";
        crosvmPackage = derived pkgs.crosvm;
        backend = mkIf pkgs.stdenv.hostPlatform.isDarwin (derived "cocoa");
      };
    }
  ];
}
