# SPDX-License-Identifier: MIT
# A guest that does to the mounts of the kernel parameter mvm.try=NAME:DIRECTORY:PATH,... what a
# collection of garbage does to a store: PATH in DIRECTORY is deleted, and something is made there.
# It tries again when the mount has become writable, as far as the guest can tell.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "store-writer" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "writer: $*"; }
    did() { "$@" 2>/dev/null && echo did || echo could not; }
    try() {
      say "$1: $(did touch "$2/made")" make
      say "$1: $(did rm -rf "$2/$3")" delete
      say "$1: $(did mv "$2/$3" "$2/moved")" rename
      say "$1: $(did chmod 777 "$2/$3")" change
    }
    for word in $(cat /proc/cmdline); do
      case $word in mvm.try=*) tries=''${word#*=} ;; esac
    done
    for one in $(echo "$tries" | tr , ' '); do
      name=''${one%%:*} rest=''${one#*:}
      directory=''${rest%%:*} path=''${rest#*:}
      [ -e "$directory/$path" ] || say "FAILED: there is no $directory/$path"
      try "$name" "$directory" "$path"
      mount -o remount,rw "$directory" 2>/dev/null && say "$name: remounted"
      grep " $directory " /proc/mounts | while read -r line; do say "$name: is $line"; done
      try "$name, again" "$directory" "$path"
    done
    say done
    reboot -f
  '';
}
