# SPDX-License-Identifier: MIT
# A guest that prints the device of its store, reads a large file in it completely, and ends the VM.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox run system;

  # So large that the middle of the disk is in it, and no block like another.
  payload = run "payload" { } ''
    awk 'BEGIN { srand(1); for (i = 0; i < 1000000; i++) printf "%09d\n", rand() * 1000000000 }' > "$out"
  '';
in
{
  inherit payload;

  toplevel = system "verity-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "verity: $*"; }
    say started
    say "mount $(grep -e ' squashfs ' -e ' erofs ' /proc/mounts)"
    say "store $(grep ' ${builtins.storeDir} ' /proc/mounts | tail -n 1)"
    for device in /sys/block/dm-*; do
      say "device $(cat "$device/dm/name") $(cat "$device/dm/uuid") read-only $(cat "$device/ro")"
    done
    if sum=$(sha256sum "${payload}"); then
      say "payload ''${sum%% *}"
    else
      say "payload cannot be read"
    fi
    say done
    reboot -f
  '';
}
