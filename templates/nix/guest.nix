# SPDX-License-Identifier: MIT
# A NixOS module for a guest that boots with its own initrd (initrd: guest). Its file systems are
# those that mvmbuild plans. Needs no nixpkgs.
#
#   mvmbuild plan --mounts web1.yaml >mounts.json       # web1.yaml needs no toplevel for that
#
#   { imports = [ (import ./guest.nix ./mounts.json) ]; }
#
# The argument is that file, or its contents as an attribute set. The mounts are the same as those
# of mvmbuild's own stage 1, and work with both the scripted and the systemd initrd of NixOS.
plan:

{ config, ... }:

let
  inherit (builtins) any concatMap elem filter fromJSON isAttrs listToAttrs readFile;

  storage = if isAttrs plan then plan else fromJSON (readFile plan);
  inherit (storage) mounts storeDir stateDir writableStore;
  registers = config.nix.enable or true;
  # It runs no commands of the configuration (system.nixos-init of nixpkgs).
  hasNixosInit = config.system.nixos-init.enable or false;

  types = map (mount: mount.type) mounts;
  # A store disk as persistent memory (storeDisk.device) is not a virtio disk.
  isPmem = any (mount: mount.type == "erofs" && elem "dax=always" mount.options) mounts;
  # fsck does not know these types, and systemd's first stage mounts while boot.initrd.kernelModules
  # are still being loaded.
  afterModules = [ "9p" "virtiofs" "squashfs" "erofs" ];

  # Only mvmbuild's stage 1 has the root hash of a disk with a hash tree (storeDisk.verity).
  deviceOf = mount:
    if mount.device == "/dev/mapper/store" then throw "guest.nix: storeDisk.verity needs mvmbuild's own stage 1; leave it out for a guest with its own initrd"
    else mount.device;

  # systemd-growfs enlarges the file system of a volume whose image has become larger. The option
  # autoResize would refuse ext2 and, in older NixOS, xfs and btrfs.
  grows = mount: mount.grows or false;

  fileSystem = mount: {
    inherit (mount) neededForBoot;
    options = # never empty
      if elem mount.type afterModules
      then mount.options ++ [ "x-systemd.after=systemd-modules-load.service" ]
      else if grows mount then mount.options ++ [ "x-systemd.growfs" ]
      else if mount.options == [ ] then [ "defaults" ]
      else mount.options;
    noCheck = elem mount.type afterModules;
  } // (
    if mount ? layers then {
      # NixOS creates the directories, and prefixes them with the place where its initrd mounts the
      # root.
      overlay = {
        lowerdir = [ mount.layers.lower ];
        upperdir = mount.layers.upper;
        workdir = mount.layers.work;
      };
    } else {
      device = deviceOf mount;
      fsType = mount.type;
    } // (if elem "bind" mount.options then { depends = [ mount.device ]; } else { })
  );

  root = if any (mount: mount.target == "/") mounts then { } else {
    "/" = {
      device = "tmpfs";
      fsType = "tmpfs";
      options = [ "mode=0755" ];
      neededForBoot = true;
    };
  };

  # The registration of the closure, named by the kernel parameter regInfo=, is a store path or in
  # one. It is registered too, with all paths that it names as references, and made a garbage
  # collector root. Otherwise the next garbage collection deletes it, and the boot after that finds
  # an empty database.
  register = ''
    registration=
    for word in $(cat /proc/cmdline); do
      case $word in regInfo=*) registration=''${word#regInfo=} ;; esac
    done
    if [ -f "$registration" ]; then
      ${config.nix.package}/bin/nix-store --load-db <"$registration"
      case $registration in
      ${storeDir}/*)
        name=''${registration#${storeDir}/}
        path=${storeDir}/''${name%%/*}
        if ! ${config.nix.package}/bin/nix-store --check-validity "$path" 2>/dev/null; then
          references=$(
            while read -r item && read -r hash && read -r size && read -r deriver && read -r count; do
              echo "$item"
              while [ "$count" -gt 0 ]; do
                read -r reference
                count=$((count - 1))
              done
            done <"$registration"
          )
          printf '%s\n\n%s\n%s\n' "$path" "$(echo "$references" | wc -l)" "$references" |
            ${config.nix.package}/bin/nix-store --register-validity
        fi
        mkdir -p ${stateDir}/gcroots
        ln -sfn "$path" ${stateDir}/gcroots/mvm-registration
        ;;
      esac
    fi
  '';
in
{
  fileSystems = root // listToAttrs
    (map (mount: { name = mount.target; value = fileSystem mount; }) mounts);

  boot.initrd.availableKernelModules =
    [ "virtio_mmio" "virtio_pci" "virtio_blk" ] ++
    (if isPmem then [ "virtio_pmem" "nd_pmem" ] else [ ]) ++
    filter (type: type != "none" && type != "tmpfs") types;
  boot.initrd.kernelModules = concatMap
    (type: if type == "9p" then [ "9p" "9pnet_virtio" ]
      else if elem type [ "virtiofs" "overlay" ] then [ type ] else [ ])
    types;
  boot.loader.grub.enable = false;
  boot.postBootCommands = if registers && !hasNixosInit then register else "";
  systemd.services = if registers && hasNixosInit then {
    register-nix-paths = {
      description = "Register the Store's Paths";
      wantedBy = [ "sysinit.target" ];
      after = [ "local-fs.target" ];
      before = [ "sysinit.target" "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      unitConfig.DefaultDependencies = false;
      serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
      script = register;
    };
  } else { };

  # Hard links between a layer and the one below it are copies. Without sync-before-registering, a
  # guest that loses power may have registered paths whose files are empty.
  nix = if writableStore
    then { settings = { auto-optimise-store = false; sync-before-registering = true; }; }
    else { };
}
