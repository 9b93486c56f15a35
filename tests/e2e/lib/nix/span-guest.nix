# SPDX-License-Identifier: MIT
# A guest with a share at /data that spans file systems: /data/a and /data/b have a file of two
# names each. It compares, copies and archives them.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "span-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "span: $*"; }
    # same WHAT DIRECTORY: whether it has what /data has.
    same() {
      for file in a/file a/link b/file b/link; do
        [ "$(cat "/data/$file")" = "$(cat "$2/$file")" ] || { say "FAILED $1: $file became $(cat "$2/$file")"; return; }
      done
      say "$1: the same"
    }
    say "shared by $(sed -n 's|^[^ ]* /data \([^ ]*\) .*|\1|p' /proc/mounts)"
    say "numbers $(stat -c %d:%i /data/a/file) $(stat -c %d:%i /data/b/file)"
    [ "$(stat -c %d:%i /data/a/file)" != "$(stat -c %d:%i /data/b/file)" ] && say "two files"
    [ "$(stat -c %d:%i /data/a/file)" = "$(stat -c %d:%i /data/a/link)" ] && say "two names of one"
    diff /data/a/file /data/b/file > /dev/null || say "diff: they differ"
    mkdir /copy /unpacked
    cp -a /data/. /copy && same cp /copy
    tar -c -f /archive -C /data . && tar -x -f /archive -C /unpacked && same tar /unpacked
    say done
    reboot -f
  '';
}
