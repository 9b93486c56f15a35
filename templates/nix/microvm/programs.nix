# SPDX-License-Identifier: MIT
# The packages of the host whose programs the scripts of this VM use.
{ lib, cfg }:

let
  inherit (lib) optional;
  host = cfg.vmHostPackages;

  created = lib.filter (volume: volume.autoCreate) cfg.volumes;
  # ext2, ext3 and ext4 are made when the runner is built, unless they have arguments of their own.
  mkfs = {
    btrfs = host.btrfs-progs;
    exfat = host.exfatprogs;
    f2fs = host.f2fs-tools;
    vfat = host.dosfstools;
    xfs = host.xfsprogs;
  };
  fileSystems = lib.unique (map (volume: volume.fsType) created);
in
[ host.coreutils host.gnutar host.gzip ]
++ optional (lib.any (interface: interface.type != "user") cfg.interfaces) host.iproute2
++ optional (cfg.devices != [ ]) host.kmod
++ optional (lib.any (volume: volume.mkfsExtraArgs != [ ]) created) host.e2fsprogs
++ optional cfg.registerWithMachined host.systemd
++ map (type: mkfs.${type}) (lib.filter (type: mkfs ? ${type}) fileSystems)
