# SPDX-License-Identifier: MIT
# A guest that prints how its store is mounted, and how much its page cache grows while it reads a
# file of 20 MB in the store; with a volume at /keep, it writes there.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox run system;
  payload = run "payload" { } ''
    awk 'BEGIN { srand(1); for (i = 0; i < 2000000; i++) printf "%09d\n", rand() * 1000000000 }' > "$out"
  '';
in
{
  toplevel = system "pmem-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "pmem: $*"; }
    cached() { awk '$1 == "Cached:" { print $2 }' /proc/meminfo; }
    say started
    say "store $(grep ' ${builtins.storeDir} ' /proc/mounts | tail -n 1)"
    before=$(cached)
    sum=$(sha256sum "${payload}")
    after=$(cached)
    say "payload ''${sum%% *}"
    [ $((after - before)) -lt 2000 ] || say "the page cache grew by $((after - before)) KB"
    if grep -q ' /keep ' /proc/mounts && echo kept >/keep/file; then say "volume $(cat /keep/file)"; fi
    say done
    reboot -f
  '';
  inherit payload;
}
