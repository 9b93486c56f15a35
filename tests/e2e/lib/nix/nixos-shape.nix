# SPDX-License-Identifier: MIT
# A toplevel with everything that NixOS's has: kernel, modules, an initrd that boots, parameters,
# bootspec. Its init checks each assumption of NixOS's second stage, prints "nixos: ok …" or "nixos:
# FAILED …" for it, and ends the VM. With systemdInitrd it has the shape of a NixOS with
# boot.initrd.systemd.enable: init is a copy of systemd's program, and the second stage is
# prepare-root.
{
  busyboxProgram ? "/usr/bin/busybox",
  kernelPackage, # an unpacked Debian kernel: ../kernel.sh
  bootspecOnly ? "", # "yes": without what the bootspec says, too
  # what `mvmbuild plan --mounts` printed: the initrd then mounts as templates/nix/guest.nix says
  mountsFile ? "",
  systemdInitrd ? "", # "yes"; "fails": prepare-root fails
}:

let
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) busybox run script;
  inherit (builtins) any attrNames elemAt head match pathExists readDir replaceStrings toJSON;

  modulesSource = "${kernelPackage}/lib/modules";
  version = head (attrNames (readDir modulesSource));

  # The few of Debian's modules that a guest may need, to keep the closure small.
  kept = [
    "drivers/virtio" "drivers/block/virtio_blk.ko" "drivers/net/virtio_net.ko"
    "drivers/net/net_failover.ko" "net/core/failover.ko"
    "drivers/char/hw_random" "drivers/char/virtio_console.ko" "drivers/firmware/qemu_fw_cfg.ko"
    "net/9p" "net/vmw_vsock"
    "fs/9p" "fs/netfs" "fs/fscache" "fs/fuse" "fs/overlayfs" "fs/squashfs" "fs/erofs" "fs/ext4"
    "fs/jbd2" "fs/mbcache.ko" "drivers/nvdimm" "drivers/dax"
    "lib" "arch/x86/crypto" "crypto"
  ];
  isKept = path: type:
    let
      relative = replaceStrings [ "${modulesSource}/${version}/kernel/" ] [ "" ] path;
      starts = prefix: string: builtins.substring 0 (builtins.stringLength prefix) string == prefix;
    in
    relative == path # not below kernel/: modules.order and the like
    || any (want: starts want relative || (type == "directory" && starts "${relative}/" want)) kept;

  linux = run "linux-${version}" {
    image = builtins.path { name = "vmlinuz"; path = "${kernelPackage}/boot/vmlinuz-${version}"; };
  } ''mkdir "$out"; cp "$image" "$out/bzImage"'';

  kernelModules = run "linux-${version}-modules" {
    modules = builtins.path { name = "modules"; path = modulesSource; filter = isKept; };
  } ''
    mkdir -p "$out/lib"
    cp -r "$modules" "$out/lib/modules"
    chmod -R u+w "$out"
    depmod -b "$out" ${version}
  '';

  # Does what NixOS does with the module: it mounts with mount(8), makes the directories of an
  # overlay, and puts its paths below the future root.
  guest = import ../../../../templates/nix/guest.nix mountsFile
    { config.nix = { enable = true; package = "/no-nix"; }; };
  layers = overlay: if overlay == null then [ ] else [
    "lowerdir=/root${head overlay.lowerdir}" "upperdir=/root${overlay.upperdir}"
    "workdir=/root${overlay.workdir}"
  ];
  mountCommand = target:
    let
      each = guest.fileSystems.${target};
      overlay = each.overlay or null;
      known = builtins.filter (option: builtins.substring 0 2 option != "x-") each.options;
      bind = builtins.elem "bind" known;
      options = builtins.concatStringsSep "," (known ++ layers overlay);
    in ''
      mkdir -p /root${target} ${if overlay == null then "" else "/root${overlay.upperdir} /root${overlay.workdir}"}
      mount -t ${each.fsType or "overlay"} -o ${options} ${if bind then "/root" else ""}${each.device or "overlay"} /root${target}
    '';
  targets = map (mount: mount.target) (builtins.fromJSON (builtins.readFile mountsFile)).mounts;
  mountAll = if mountsFile == "" then ''
    for try in $(seq 100); do [ -b /dev/vda ] || sleep 0.1; done
    mkdir -p /root${builtins.storeDir}
    mount -o ro -t squashfs /dev/vda /root${builtins.storeDir} 2>/dev/null || mount -o ro -t erofs /dev/vda /root${builtins.storeDir}
  '' else ''
    for name in ${toString (guest.boot.initrd.kernelModules ++ guest.boot.initrd.availableKernelModules)}; do modprobe "$name"; done
    mkdir -p /dev/disk/by-id /dev/disk/by-label # as udev does
    for disk in /sys/block/vd*; do
      [ ! -e "$disk" ] ||
        ln -s "/dev/''${disk##*/}" "/dev/disk/by-id/virtio-$(cat "$disk/serial")"
    done
    for disk in /dev/pmem*; do # the label in an erofs's superblock, since busybox has no blkid
      [ -e "$disk" ] || continue
      label=$(dd if="$disk" bs=1 skip=1088 count=16 2>/dev/null | tr -d '\0')
      ln -s "$disk" "/dev/disk/by-label/$label"
    done
    ${builtins.concatStringsSep "" (map mountCommand targets)}
    sed 's/^/guest-initrd: mounted /' /proc/mounts
  '';

  # Does what NixOS's own first stage does, as far as a microVM needs it: the store is the first
  # disk.
  initrd = run "initrd-linux-${version}" {
    init = ''
      #!/bin/busybox sh
      export PATH=/bin
      busybox mkdir -p /proc /sys /dev /root
      /bin/busybox --install -s /bin
      mount -t proc proc /proc
      mount -t sysfs sysfs /sys
      mount -t devtmpfs devtmpfs /dev
      ln -s /proc/self/fd /dev/fd
      for n in 0/stdin 1/stdout 2/stderr; do ln -s "/proc/self/fd/''${n%/*}" "/dev/''${n#*/}"; done
      echo "guest-initrd: started"
      for name in virtio_mmio virtio_pci virtio_blk squashfs crc32c_generic erofs; do modprobe "$name"; done
      init=$(tr ' ' '\n' < /proc/cmdline | sed -n 's/^init=//p')
      mount -t tmpfs -o mode=0755 tmpfs /root
      mkdir -p /root/proc /root/sys /root/dev /root/run /root/etc
      ${mountAll}
      : > /root/etc/NIXOS
      mount -t tmpfs -o mode=0755 tmpfs /root/run
      for dir in proc sys dev; do mount --move "/$dir" "/root/$dir"; done
      exec env -i "$(which switch_root)" /root "$init"
    '';
  } ''
    mkdir -p root/bin root/lib "$out"
    printf %s "$init" > root/init
    chmod +x root/init
    cp ${busybox}/bin/busybox root/bin/
    ln -s busybox root/bin/sh
    cp -r ${kernelModules}/lib/modules root/lib/
    find root | xargs touch -h -d @1
    (cd root; find . | sort | cpio -o -H newc -R 0:0 --renumber-inodes --ignore-devno) | gzip -n > "$out/initrd"
  '';

  kernelParams = "loglevel=4 net.ifnames=0";

  contract = script "stage-2" ''
    top=$1 called=$2 shell=$3
    failures=0
    say() { echo "nixos: $*"; }
    is() { # WHAT WANTED FOUND
      if [ "$2" = "$3" ]; then say "ok $1"; else failures=$((failures + 1)); say "FAILED $1: wanted '$2', found '$3'"; fi
    }
    mounted() { while read -r source target type options rest; do [ "$target" != "$1" ] || echo "$type ''${options%%,*}"; done < /proc/mounts | tail -n 1; }
    parameter() { tr ' ' '\n' < /proc/cmdline | grep -Fx -e "$1"; }
    device() { readlink "/proc/$shell/fd/$1" | sed 's/ (deleted)$//'; } # the node may be the initramfs's

    is "it is process 1" 1 "$shell"
    is "it is called by its path" "$top/init" "$called"
    is "its directory is /" / "$PWD"
    is "root is a tmpfs" "tmpfs rw" "$(mounted /)"
    is "/proc is mounted" "proc rw" "$(mounted /proc)"
    is "/sys is mounted" "sysfs rw" "$(mounted /sys)"
    is "/dev is mounted" "devtmpfs rw" "$(mounted /dev)"
    is "/run is mounted" "tmpfs rw" "$(mounted /run)"
    case $(mounted ${builtins.storeDir}) in
    *' ro') say "ok the store is read-only" ;;
    overlay*)
      say "ok the store is an overlay"
      is "the store is writable" yes "$(echo yes > ${builtins.storeDir}/written && cat ${builtins.storeDir}/written)"
      for each in ${builtins.storeDir}/../.rw-store/store/*; do say "upper ''${each##*/}"; done
      ;;
    *) is "the store is mounted" "squashfs ro" "$(mounted ${builtins.storeDir})" ;;
    esac
    is "/etc/NIXOS exists" yes "$([ -e /etc/NIXOS ] && echo yes)"
    is "the first stage has left nothing in /" "" "$(ls -A / | grep -vx -e bin -e data -e dev -e etc -e home -e nix -e proc -e root -e run -e sbin -e sys -e tmp -e usr -e var -e lib -e "$(echo ${builtins.storeDir} | cut -d / -f 2)")"
    is "input is the console" /dev/console "$(device 0)"
    is "output is the console" /dev/console "$(device 1)"
    is "errors go to the console" /dev/console "$(device 2)"
    is "the mask for new files is 022" 0022 "$(umask)"
    is "a shell can open its descriptors" yes "$(echo yes | cat /dev/fd/0)"
    is "/dev/stdin is there" yes "$(echo yes | cat /dev/stdin)"
    is "/dev/stdout is there" yes "$(echo yes >/dev/stdout)"
    is "/dev/stderr is there" yes "$(echo yes 2>&1 >/dev/stderr)"
    if [ -e "$top/prepare-root" ]; then
      is "prepare-root ran before" "true 0" "$(cat /run/prepared)"
      is "what prepare-root needs is not in the environment" "" "''${IN_NIXOS_SYSTEMD_STAGE1-}"
    fi
    for word in ${kernelParams}; do
      is "the kernel has the parameter $word" "$word" "$(parameter "$word")"
    done
    is "the kernel is the toplevel's" ${version} "$(uname -r)"
    say "done, $failures failures"
  '';

  toplevel = run "nixos-system-shape-23.11" {
    inherit kernelParams bootspecOnly systemdInitrd;
    init = ''
      #!${busybox}/bin/sh
      ${contract} @out@ "$0" $$
      ${busybox}/bin/reboot -f
    '';
    prepareRoot = ''
      #!${busybox}/bin/sh
      echo "prepare-root: started"
      case $(${busybox}/bin/readlink /proc/$$/fd/1) in /dev/console*) status=0 ;; *) status=1 ;; esac
      [ $$ != 1 ] || status=1
      echo "$IN_NIXOS_SYSTEMD_STAGE1 $status" >/run/prepared
      ${if systemdInitrd == "fails" then "exit 3" else ""}
    '';
    # The builder puts its own path in.
    bootspec = toJSON {
      "org.nixos.bootspec.v1" = {
        system = "x86_64-linux";
        kernel = "${linux}/bzImage";
        initrd = "${initrd}/initrd";
        kernelParams = builtins.filter builtins.isString (builtins.split " " kernelParams);
        label = "NixOS 23.11 (Linux ${version})";
        init = "@out@/init";
        toplevel = "@out@";
      };
      "org.nixos.specialisation.v1" = { };
    };
  } ''
    mkdir "$out"
    printf %s "$init" | sed "s|@out@|$out|" > "$out/init"
    chmod +x "$out/init"
    if [ -n "$systemdInitrd" ]; then
      mkdir -p "$out/systemd/lib/systemd"
      cp "$out/init" "$out/systemd/lib/systemd/systemd"
      printf %s "$prepareRoot" > "$out/prepare-root"
      chmod +x "$out/prepare-root"
    fi
    printf %s "$bootspec" | sed "s|@out@|$out|g" > "$out/boot.json"
    ln -s ${linux}/bzImage "$out/kernel"
    ln -s ${kernelModules} "$out/kernel-modules"
    ln -s ${initrd}/initrd "$out/initrd"
    printf %s "$kernelParams" > "$out/kernel-params"
    printf x86_64-linux > "$out/system"
    printf 23.11.20240115.shape > "$out/nixos-version"
    printf 1 > "$out/init-interface-version"
    mkdir -p "$out/etc" "$out/sw"
    ln -s ${busybox}/bin "$out/sw/bin"
    [ -z "$bootspecOnly" ] || rm "$out/kernel" "$out/kernel-modules" "$out/initrd" "$out/kernel-params"
  '';
in
{ inherit toplevel linux kernelModules initrd; }
