# SPDX-License-Identifier: MIT
# A guest that counts its boots on every disk that the first stage mounted, prints their sizes, and
# ends the VM.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "volumes-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "volumes: $*"; }
    grep '^/dev/' /proc/mounts | grep -v ' /nix/store \| squashfs ' | {
      while read -r device point type rest; do
        boots=$(cat "$point/boots" 2>/dev/null | wc -l)
        echo "boot" >> "$point/boots"
        set -- $(df -m "$point" | tail -n 1)
        say "$point $type $device boot $((boots + 1)) $2 MiB"
        umount "$point" || say "$point: FAILED cannot umount"
      done
    }
    say done
    reboot -f
  '';
}
