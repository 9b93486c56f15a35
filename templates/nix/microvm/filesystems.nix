# SPDX-License-Identifier: MIT
# The guest's file systems. They are those of `mvmbuild plan --mounts`, made from the configuration
# alone; ../guest.nix writes them for NixOS.
{ config, lib, ... }@args:

let
  inherit (lib) imap0 mkDefault mkIf optional optionals;
  cfg = config.microvm;
  inherit (cfg) storeDir writableStoreOverlay;
  stateDir = "${dirOf storeDir}/var/nix";
  hasSerials = (import ./hypervisors.nix).hasSerials cfg.hypervisor;

  letter = number: "/dev/vd${lib.elemAt lib.strings.lowerChars number}";
  isPlain = text: builtins.match "[A-Za-z0-9_.-]*" text != null;
  disk = number: serial: label:
    if hasSerials then "/dev/disk/by-id/virtio-${serial}"
    else if label != null && isPlain label then "/dev/disk/by-label/${label}"
    else letter number;

  # Whether a path lies in a directory.
  isWithin = path: directory:
    directory == "/" || path == directory || lib.hasPrefix "${directory}/" path;
  # The deepest mount that holds the writable layer.
  layerMount = lib.foldl'
    (best: mount:
      if isWithin writableStoreOverlay mount.target &&
        (best == null || lib.stringLength mount.target > lib.stringLength best.target)
      then mount else best)
    null;

  sharesStore = share: share.source == storeDir;
  storeShare = lib.findFirst sharesStore null cfg.shares;
  # mvmbuild shares these read-only.
  exposesStore = share: lib.any
    (path: isWithin path share.source || isWithin share.source path) [ storeDir stateDir ];
  shareOptions = share: optional (share.readOnly || exposesStore share) "ro"
    ++ optionals (share.proto == "9p") [ "trans=virtio" "version=9p2000.L" "msize=65536" ]
    ++ optional (share.proto == "virtiofs" && share.dax == true) "dax=always";

  storeTarget =
    if storeShare != null && !cfg.storeOnDisk && storeShare.mountPoint != storeDir
    then storeShare.mountPoint
    else if writableStoreOverlay != null then "${dirOf storeDir}/.ro-store"
    else storeDir;

  # Persistent memory has no serial number and takes no letter of a disk.
  isPmem = cfg.storeOnDisk && cfg.storeDisk.device == "pmem";
  storeLabel = if cfg.storeDiskType == "erofs" then "nix-store" else null;
  storeDevice = if isPmem then "/dev/disk/by-label/nix-store" else disk 0 "mvm-store" storeLabel;
  isVerified = cfg.storeOnDisk && cfg.storeDisk.verity;
  storeMounts = device: optional cfg.storeOnDisk {
    target = storeTarget;
    inherit device;
    type = cfg.storeDiskType;
    options = [ "ro" ] ++ optional isPmem "dax=always";
    neededForBoot = true;
  };

  volumes = lib.filter (mount: mount.target != null) (imap0
    (number: volume: {
      target = volume.mountPoint;
      device = disk (number + (if cfg.storeOnDisk && !isPmem then 1 else 0))
        (if volume.serial != null then volume.serial else "mvm-volume-${toString number}")
        volume.label;
      type = volume.fsType;
      options = optional volume.readOnly "ro";
      grows = volume.autoCreate && !volume.readOnly && volume.size != null &&
        lib.elem volume.fsType [ "ext2" "ext3" "ext4" "xfs" "btrfs" ];
    })
    cfg.volumes);

  shares = map
    (share: {
      target =
        if share == storeShare && !cfg.storeOnDisk then storeTarget else share.mountPoint;
      device = share.tag;
      type = share.proto;
      options = shareOptions share;
    })
    cfg.shares;

  layer = if writableStoreOverlay == null then null else layerMount (volumes ++ shares);
  # What stage 1 uses lies in them.
  early = [ storeDir storeTarget stateDir ] ++
    optional (writableStoreOverlay != null) "${writableStoreOverlay}/store";
  mount = mount: mount // {
    neededForBoot = mount.target == "/" || lib.any (path: isWithin path mount.target) early;
    options = mount.options ++
      # After a loss of power, registered paths would have empty files.
      optional (layer != null && mount.target == layer.target &&
        lib.elem mount.type [ "ext3" "ext4" ]) "data=journal";
  };

  store =
    if writableStoreOverlay != null then [{
      target = storeDir;
      device = "overlay";
      type = "overlay";
      options = [
        "index=off"
        "metacopy=off"
        "xino=off"
        (if layer != null && layer.type == "virtiofs" then "userxattr" else "redirect_dir=nofollow")
      ];
      layers = {
        lower = storeTarget;
        upper = "${writableStoreOverlay}/store";
        work = "${writableStoreOverlay}/work";
      };
      neededForBoot = true;
    }]
    else optional (storeTarget != storeDir) {
      target = storeDir;
      device = storeTarget;
      type = "none";
      options = [ "ro" "bind" ];
      neededForBoot = true;
    };

  planWith = device: {
    inherit storeDir stateDir;
    writableStore = writableStoreOverlay != null;
    mounts = storeMounts device ++ map mount (volumes ++ shares) ++ store;
  };
  # mvmbuild's initrd has mounted a verified store from this device.
  mapped = "/dev/mapper/store";
  plan = planWith (if isVerified then mapped else storeDevice);
  guest = import ../guest.nix (planWith storeDevice) args;
  registers = cfg.registerClosure && cfg.mvmbuild.initrd == "guest";
  mounted = { device = mapped; options = [ "ro" "noauto" ]; };
in
{
  options.microvm.mvmbuild.mounts = lib.mkOption {
    type = lib.types.attrs;
    internal = true;
    readOnly = true;
    default = plan;
    description = ''
      The guest's mounts, as `mvmbuild plan --mounts` prints them.
    '';
  };

  config = mkIf cfg.guest.enable {
    fileSystems = lib.mapAttrs
      (target: fileSystem:
        if target == "/" && !lib.any (mount: mount.target == "/") plan.mounts
        # A configuration may give its own as a default.
        then lib.mkOverride (import ./priority.nix) fileSystem
        else fileSystem // { neededForBoot = mkDefault fileSystem.neededForBoot; } //
          lib.optionalAttrs (isVerified && target == storeTarget) mounted)
      guest.fileSystems;

    boot = {
      initrd = { inherit (guest.boot.initrd) availableKernelModules kernelModules; };
      postBootCommands = mkIf registers guest.boot.postBootCommands;
    };
    systemd.services = mkIf registers guest.systemd.services;

    nix.settings = lib.mapAttrs (name: mkDefault) (guest.nix.settings or { });

    # Otherwise systemd unmounts the store, which is the host's, before the programs that it needs
    # for that have ended.
    systemd.mounts =
      mkIf (config.boot.initrd.systemd.enable && !cfg.storeOnDisk && !plan.writableStore) [{
        what = "store";
        where = storeDir;
        overrideStrategy = "asDropin";
        unitConfig.DefaultDependencies = false;
      }];
  };
}
