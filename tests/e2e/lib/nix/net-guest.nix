# SPDX-License-Identifier: MIT
# A guest that reports its readiness as systemd would, reads from its host's port 1024 by TCP over
# eth0 and by vsock, and ends. With an sshd, root can log in by ssh over vsock, and the guest ends
# on command there. It prints "net: WHAT VALUE".
{
  busyboxProgram ? "/usr/bin/busybox",
  # socat with its libraries, as they lie below / of this machine: stage_programs in ../lab.sh; sshd
  # and etc/ssh
  guestFiles,
}:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
  files = builtins.path { name = "guest-files"; path = guestFiles; };
in
{
  toplevel = system "net-guest" ''
    #!${busybox}/bin/sh
    export PATH=${busybox}/bin
    for name in lib lib64 usr; do
      rm -rf "/$name"
      if [ -e "${files}/$name" ]; then ln -s "${files}/$name" "/$name"; fi
    done
    get() { /usr/bin/socat -T 20 -u "$1" STDOUT; }
    if [ -e ${files}/usr/sbin/sshd ]; then
      rm -rf /bin
      ln -s ${busybox}/bin /bin
      mkdir -p /etc/ssh /run/sshd
      cp ${files}/etc/ssh/* /etc/ssh
      chmod 600 /etc/ssh/*
      printf '%s\n' 'root:x:0:0::/:/bin/sh' 'sshd:x:65534:65534::/run/sshd:/bin/false' >/etc/passwd
      # As systemd's socket unit does it: sshd has the connection itself.
      /usr/bin/socat VSOCK-LISTEN:22,fork EXEC:'/usr/sbin/sshd -i',nofork &
      echo "net: boot $(cat /proc/sys/kernel/random/boot_id)"
    fi
    ifconfig eth0 192.0.2.2 netmask 255.255.255.0 up
    # vsock-stream:CID:PORT
    notify=$(cat /sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/vmm.notify_socket/raw 2>/dev/null)
    [ -z "$notify" ] || printf 'READY=1\nSTATUS=from the guest\nMAINPID=1\n' | /usr/bin/socat -u STDIN "VSOCK-CONNECT:''${notify#vsock-stream:}"
    echo "net: file $(get TCP:192.0.2.1:1024 | sha256sum)"
    echo "net: vsock $(get VSOCK-CONNECT:2:1024)"
    wait
    reboot -f
  '';
}
