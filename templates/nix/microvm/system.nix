# SPDX-License-Identifier: MIT
# The guest's system: how it boots, and what it has as a microVM.
{ config, options, lib, pkgs, modulesPath, ... }:

let
  inherit (lib) mkDefault mkIf optional optionals;
  cfg = config.microvm;
  writable = cfg.writableStoreOverlay != null;

  # ---- which initrd ----
  ours = map (mount: mount.target) cfg.mvmbuild.mounts.mounts;
  # NixOS's own list (nixos/lib/utils.nix).
  early = [ "/" "/nix" "/nix/store" "/var" "/var/log" "/var/lib" "/var/lib/nixos" "/etc" "/usr" ];
  isEarly = fileSystem: fileSystem.neededForBoot || lib.elem fileSystem.mountPoint early;
  isForeign = fileSystem: isEarly fileSystem && !lib.elem fileSystem.mountPoint ours &&
    !(fileSystem.mountPoint == "/" && fileSystem.fsType == "tmpfs");

  definitions = import ./definitions.nix { inherit lib modulesPath; };
  isSet = option: lib.any (value: !lib.elem value [ "" { } ]) (definitions option);
  initrd = options.boot.initrd;
  commands = [
    "preDeviceCommands" "preLVMCommands" "postDeviceCommands" "postMountCommands"
    "preFailCommands" "postResumeCommands"
  ];
  systemdParts = [ "services" "units" "mounts" "contents" "storePaths" ];
  # /etc is mounted, or the system activated, by NixOS's own initrd.
  needsOwnInitrd = (config.system.etc.overlay.enable or false) ||
    (config.system.nixos-init.enable or false);
  losesSomething = needsOwnInitrd || lib.any isForeign (lib.attrValues config.fileSystems) ||
    config.boot.initrd.luks.devices != { } || config.boot.initrd.network.enable ||
    lib.any (name: isSet (initrd.${name} or { })) commands ||
    lib.any (name: isSet (initrd.systemd.${name} or { })) systemdParts;
  isInitrdGiven = cfg.initrd != null ||
    options.microvm.initrdPath.highestPrio < import ./priority.nix;

  system =
    if cfg.storeOnDisk then builtins.unsafeDiscardStringContext cfg.toplevel else cfg.toplevel;
in
{
  microvm = {
    mvmbuild.initrd = mkDefault (if isInitrdGiven || losesSomething then "guest" else "own");
    kernelParams = config.boot.kernelParams ++ [ "init=${system}/init" ];
  };

  boot = mkIf cfg.guest.enable {
    loader.grub.enable = false;
    initrd = {
      kernelModules = [ "virtio_mmio" "virtio_pci" "virtio_blk" ] ++
        # Firecracker shuts the guest down by Ctrl-Alt-Del on this controller's keyboard.
        optional (cfg.hypervisor == "firecracker" && pkgs.stdenv.hostPlatform.isx86_64) "i8042";
      # For SSH over vsock where no PCI device makes udev load it.
      availableKernelModules = [ "vmw_vsock_virtio_transport" ];
    };
    # They cost time at boot.
    blacklistedKernelModules = [ "rfkill" "intel_pstate" ] ++
      optionals (!cfg.graphics.enable) [ "drm" ];
  };

  systemd = mkIf cfg.guest.enable {
    # Nix's daemon needs a store that it can write to.
    services.nix-daemon.enable = mkDefault writable;
    sockets.nix-daemon.enable = mkDefault writable;
    services.mount-pstore.enable = false;
    # There are no partitions to find.
    generators.systemd-gpt-auto-generator = "/dev/null";
  };

  environment.etc."machine-id" = mkIf (cfg.guest.enable && cfg.machineId != null) {
    text = lib.replaceStrings [ "-" ] [ "" ] cfg.machineId + "\n";
  };
  networking.hostId = mkIf (cfg.guest.enable && cfg.machineId != null)
    (mkDefault (builtins.substring 0 8 cfg.machineId));

  virtualisation = lib.optionalAttrs (options.virtualisation ? rosetta) {
    rosetta.enable = mkIf (cfg.hypervisor == "vfkit" && cfg.vfkit.rosetta.enable) true;
  };
}
