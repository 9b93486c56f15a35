# SPDX-License-Identifier: MIT
# A guest with one interface, on a network without DHCP. Its address is the kernel parameter
# lan.address; it fetches the file that the host has at lan.host, or serves one itself (lan.serve)
# until its peer has fetched it, or fetches from its peer (lan.peer).
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
in
{
  toplevel = system "lan-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    say() { echo "lan: $*"; }
    for word in $(cat /proc/cmdline); do
      case $word in lan.*=*) eval "''${word#lan.}" ;; esac
    done
    fetch() { # HOST
      i=0
      until busybox wget -q -O /file "http://$1/file"; do
        i=$((i + 1))
        [ $i -lt 100 ] || break
        busybox usleep 200000
      done
      say "fetched $(md5sum </file | cut -d ' ' -f 1)"
    }
    ip link set eth0 up
    ip address add "$address/24" dev eth0
    say "mac $(cat /sys/class/net/eth0/address)"
    if [ -n "$host" ]; then
      ping -c 3 -W 5 "$host" >/dev/null && say "ping ok"
      fetch "$host"
    fi
    if [ -n "$serve" ]; then
      mkdir /www
      seq "$serve" >/www/file
      busybox httpd -p 80 -h /www
      say "serving"
      # The peer has reported that it is done.
      i=0
      until [ -e /www/done ]; do
        busybox nc -l -p 81 -w 60 >/dev/null && : >/www/done
        i=$((i + 1))
        [ $i -lt 5 ] || break
      done
    fi
    if [ -n "$peer" ]; then
      fetch "$peer"
      echo done | busybox nc -w 5 "$peer" 81
    fi
    say done
    reboot -f
  '';
}
