# SPDX-License-Identifier: MIT
# A guest that its host measures over each of its interfaces, eth0 and eth1: on port 1000 it
# receives bench.bytes and confirms it, on port 1001 it sends them, and a connection to port 1002
# ends it.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ../e2e/lib/nix/guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "vhost-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    for word in $(cat /proc/cmdline); do
      case $word in bench.bytes=*) bytes=''${word#bench.bytes=} ;; esac
    done
    # Interfaces of one host: each answers for its own address alone.
    echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
    ifconfig eth0 192.0.2.2 netmask 255.255.255.0 up
    ifconfig eth1 198.51.100.2 netmask 255.255.255.0 up
    nc -ll -p 1000 -e sh -c "head -c $bytes >/dev/null; echo taken" &
    nc -ll -p 1001 -e head -c "$bytes" /dev/zero &
    echo "bench: ready"
    nc -l -p 1002 -e true
    reboot -f
  '';
}
