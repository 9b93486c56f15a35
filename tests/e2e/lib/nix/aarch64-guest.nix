# SPDX-License-Identifier: MIT
# A guest for aarch64 that can be built on any machine, because none of it runs here. It prints its
# architecture, counts its boots in /data and ends the VM.
{
  busyboxProgram ? "/usr/bin/busybox",
  guestBusybox, # a static one for aarch64
}:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) run system;

  program = builtins.path { name = "busybox"; path = guestBusybox; };
  busybox = run "busybox-aarch64" { inherit program; } ''
    mkdir -p "$out/bin"
    cp "$program" "$out/bin/busybox"
    chmod +x "$out/bin/busybox"
    for applet in sh cat grep uname ls mount umount sync reboot wc; do ln -s busybox "$out/bin/$applet"; done
  '';
in
{
  toplevel = system "aarch64-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    echo "aarch64: machine $(uname -m)"
    echo "aarch64: store $(ls ${builtins.storeDir} | wc -l) paths"
    grep -e ' /data ' -e ' squashfs ' /proc/mounts | while read -r source target type options rest; do echo "aarch64: mount $target $type ''${options%%,*} from $source"; done
    echo "boot" >> /data/boots
    echo "aarch64: boot $(wc -l < /data/boots)"
    umount /data && echo "aarch64: done"
    sync
    reboot -f
  '';
}
