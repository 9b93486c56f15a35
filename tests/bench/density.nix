# SPDX-License-Identifier: MIT
# The guest of density.sh. It reads the files of lists in the directory that the parameter lists=
# names: "programs" at once, then one list for each line of its console, and says after each what it
# read and by how much its page cache grew.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ../e2e/lib/nix/guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "density-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    lists=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^lists=//p')
    cached() { awk '$1 == "Cached:" { print $2 }' /proc/meminfo; }
    # Reads the files of a list; says the KiB by which the page cache grew.
    take() {
      before=$(cached)
      xargs cat <"$lists/$1" >/dev/null
      after=$(cached)
      echo "density: $1 $((after - before))"
    }
    take programs
    while read -r name </dev/console; do
      [ "$name" = end ] && break
      [ -z "$name" ] || take "$name"
    done
    reboot -f
  '';
}
