# SPDX-License-Identifier: MIT
# The guest of ../lab.sh: a machine with /dev/kvm that runs a script on runners, and ends.
{
  busyboxProgram ? "/usr/bin/busybox",
  # QEMU, bash and the like with their libraries, as they lie below / of this machine: lab_stage in
  # ../lab.sh
  labFiles,
  labRunners, # a directory: the runners under test
  labScript, # bash
}:

let
  inherit (import ./guest.nix { inherit busyboxProgram; }) busybox system;
  files = builtins.path { name = "lab-files"; path = labFiles; };
  runners = builtins.path { name = "runners"; path = labRunners; };
  script = builtins.path { name = "lab-script"; path = labScript; };
in
{
  toplevel = system "lab" ''
    #!${busybox}/bin/sh
    export PATH=/usr/bin:/bin:/usr/sbin:/sbin:${busybox}/bin HOME=/root
    for name in bin lib lib64 sbin usr; do
      rm -rf "/$name"
      # On a machine with a merged /usr, what is in /bin was found in /usr/bin.
      if [ -e "${files}/$name" ]; then ln -s "${files}/$name" "/$name"; else ln -s "usr/$name" "/$name"; fi
    done
    mkdir -p /root /etc /tmp /dev/pts /var/lib/microvms/vm
    mount -t devpts devpts /dev/pts
    echo root:x:0:0:root:/root:/bin/bash > /etc/passwd
    echo root:x:0: > /etc/group
    cd /var/lib/microvms/vm
    echo "lab: started"
    runners=${runners} bash ${script} < /dev/null
    echo "lab: done, status $?"
    ${busybox}/bin/reboot -f
  '';
}
