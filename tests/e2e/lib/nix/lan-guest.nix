# SPDX-License-Identifier: MIT
# A guest with one interface. Its address is the kernel parameter lan.address, or comes by DHCP
# (lan.address=dhcp); its router is lan.gateway, or the one that DHCP names. It reads from a server
# on port 1024 of lan.beyond, which need not be in its network. It fetches the file that the host
# has at lan.host, or serves one itself (lan.serve) until its peer has fetched it, or fetches from
# its peer (lan.peer).
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
    if [ "$address" = dhcp ]; then
      # udhcpc runs it with the event as its argument and the lease in its environment.
      cat >/lease <<'END'
    #!${busybox}/bin/sh
    [ "$1" = bound ] || exit 0
    ip address add "$ip/$mask" dev "$interface"
    ip route add default via "$router"
    echo "lan: lease $ip/$mask router $router dns $dns"
    END
      chmod +x /lease
      udhcpc -i eth0 -s /lease -q -n -t 20 -T 1
    else
      ip address add "$address/24" dev eth0
      [ -z "$gateway" ] || ip route add default via "$gateway"
    fi
    say "mac $(cat /sys/class/net/eth0/address)"
    if [ -n "$host" ]; then
      ping -c 3 -W 5 "$host" >/dev/null && say "ping ok"
      fetch "$host"
    fi
    if [ -n "$beyond" ]; then
      say "answer $(busybox nc -w 20 "$beyond" 1024 </dev/null)"
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
