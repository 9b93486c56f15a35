# SPDX-License-Identifier: MIT
# A guest that reports what its machine has, in lines "probe: WHAT VALUE". Its init does the steps
# of the kernel parameter probe.do=STEP,STEP,... (by default: report), prints "probe: done" and ends
# the VM.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) busybox run script;

  library = builtins.toFile "library" ''
    say() { echo "probe: $*"; }
    parameter() { tr ' ' '\n' < /proc/cmdline | sed -n "s|^$1=||p" | tail -n 1; }
    kib() { sed -n "s|^$1: *\([0-9]*\) kB|\1|p" /proc/meminfo; }
  '';

  # Behaves like busybox's init, to test the ways of asking a guest to stop.
  powerKey = script "power-key" ''
    echo "probe: power button"
    poweroff
  '';
  started = script "started" ''
    if [ -e /dev/input/event0 ]; then
      acpid -l /dev/console -p /run/acpid.pid
      for try in $(seq 50); do [ ! -e /run/acpid.pid ] || break; usleep 100000; done
    fi
    echo "probe: ready"
    # So many MiB, of which every one has to get to the disk.
    mib=$(tr ' ' '\n' < /proc/cmdline | sed -n 's|^probe.fill=||p')
    if [ -n "$mib" ]; then
      touch /run/filling
      yes 0123456789 | head -c $((mib << 20)) > /data/big
      sync
      echo "probe: filled"
      rm /run/filling
    fi
  '';
  ctrlAltDel = script "ctrl-alt-del" ''
    echo "probe: ctrl-alt-del"
    reboot
  '';
  stopping = script "stopping" ''
    while [ -e /run/filling ]; do usleep 100000; done
    if grep -q ' /data ' /proc/mounts; then
      echo stopped >> /data/stops
      umount /data && echo "probe: unmounted"
    fi
  '';
  inittab = run "inittab" {
    text = ''
      ::once:${started}
      ::ctrlaltdel:${ctrlAltDel}
      ::shutdown:${stopping}
    '';
  } ''printf %s "$text" > "$out"'';

  steps = script "steps" ''
    . ${library}

    report() {
      say "cpus $(nproc)"
      say "model $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
      say "memory $(kib MemTotal)"
      say "scratch $([ -e /run/mvm ] && echo left || echo gone)"
      for device in /sys/bus/virtio/devices/*; do
        driver=$(readlink "$device/driver")
        real=$(readlink -f "$device")
        case $real in */pci*) bus=pci ;; *) bus=mmio ;; esac
        say "device $bus ''${driver##*/}"
      done
      say "rng $(cat /sys/class/misc/hw_random/rng_current)"
      say "hotplugged $(grep -c 'System RAM (virtio_mem)' /proc/iomem)"
      say "uuid $(cat /sys/class/dmi/id/product_uuid 2>/dev/null)"
      for disk in /sys/block/vd*; do
        say "disk $(cat "$disk/serial") $(cat "$disk/ro") $(($(cat "$disk/size") / 2)) KiB"
      done
      for interface in /sys/class/net/eth*; do
        [ ! -e "$interface" ] || say "interface ''${interface##*/} $(cat "$interface/address")"
      done
      for credential in /sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/*; do
        [ ! -e "$credential" ] || say "credential ''${credential##*/} $(cat "$credential/raw")"
      done
      say "parameters $(cat /proc/cmdline)"
    }

    # Answers one connection.
    serve() {
      ip link set eth0 up
      ip address add 10.0.2.15/24 dev eth0
      say listening
      echo "hello from the guest" | nc -l -p 80
    }

    step() {
      case $1 in
      report | serve) "$1" ;;
      # Ends by the power button (evdev and button must be loaded) or by Ctrl-Alt-Del.
      init)
        mkdir -p /etc/acpi/PWRF
        ln -s ${powerKey} /etc/acpi/PWRF/00000080
        ln -s ${inittab} /etc/inittab
        exec init
        ;;
      # The kernel reboots at Ctrl-Alt-Del, unless that is left to process 1.
      deaf)
        trap "" INT
        echo 0 > /proc/sys/kernel/ctrl-alt-del
        step free
        ;;
      free)
        while :; do say "free $(kib MemFree)"; sleep 1; done
        ;;
      panic) echo c > /proc/sysrq-trigger ;;
      poweroff) poweroff -f ;;
      *) say "FAILED no step $1" ;;
      esac
    }

    todo=$(parameter probe.do)
    for name in $(echo "''${todo:-report}" | tr , ' '); do step "$name"; done
    say done
    reboot -f
  '';
in
{
  toplevel = run "probe-guest" { inherit steps; } ''
    mkdir "$out"
    ln -s "$steps" "$out/init"
  '';
}
