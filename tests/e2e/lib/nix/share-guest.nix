# SPDX-License-Identifier: MIT
# A guest with two shares: /data, which it writes to, and /seed, which it may not write to. With
# linger among the kernel's parameters it stays.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "share-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "share: $*"; }
    for point in /data /seed; do
      grep -q " $point virtiofs " /proc/mounts || say "FAILED no virtiofs on $point"
    done
    echo "boot $(($(cat /data/boots 2>/dev/null | wc -l) + 1))" >> /data/boots && say "wrote $(tail -n 1 /data/boots)"
    say "owner of a new file: $(stat -c %u:%g /data/boots)"
    say "mode of data: $(stat -c %a /data)"
    say "seed: $(cat /seed/file)"
    mount -o remount,rw /seed
    if echo x 2>/dev/null > /seed/new; then say "FAILED /seed can be written"; else say "/seed is read-only"; fi
    if echo x 2>/dev/null >> /seed/file; then say "FAILED /seed/file can be written"; fi
    if rm -f /seed/file 2>/dev/null; then say "FAILED /seed/file can be removed"; fi
    sync
    case " $(cat /proc/cmdline) " in *" linger "*) say lingers; while :; do sleep 1; date > /data/now; done ;; esac
    umount /data && say done
    reboot -f
  '';
}
