# SPDX-License-Identifier: MIT
# A guest that counts its boots in /data, a volume that the first stage mounts, and ends the VM.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "volume-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "volume: $*"; }
    grep -q ' /data ' /proc/mounts || say "FAILED nothing is mounted on /data"
    grep '^/dev/' /proc/mounts | while read -r line; do say "$line"; done
    boots=$(cat /data/boots 2>/dev/null | wc -l)
    echo "boot $((boots + 1))" >> /data/boots
    while read -r line; do say "$line"; done < /data/boots
    set -- $(df -k /data | tail -n 1)
    say "size $2 KiB"
    [ ! -d /device ] || umount /device
    sync
    umount /data && say unmounted
    say done
    # Cloud Hypervisor starts the guest again at a reboot.
    case " $(cat /proc/cmdline) " in *" end=poweroff "*) poweroff -f ;; esac
    reboot -f
  '';
}
