# A small system: busybox is the guest's init and serves a web page on port 80. Nix builds it from
# this machine's /usr/bin/busybox (Debian: busybox-static), without a network and without nixpkgs:
# nix-build system.nix
let
  busybox = builtins.path {
    name = "busybox";
    path = "/usr/bin";
    filter = path: type: baseNameOf path == "busybox";
  };
  sh = "${busybox}/busybox sh";

  file = name: mode: text: derivation {
    inherit name text;
    system = builtins.currentSystem;
    builder = "${busybox}/busybox";
    args = [ "sh" "-euc" ''printf %s "$text" >"$out"; ${busybox}/busybox chmod ${mode} "$out"'' ];
  };

  start = file "start" "555" ''
    #!${sh}
    # The kernel parameters hostname=, which mvmbuild makes from hostName, and hello.address=.
    hostname hello
    for word in $(cat /proc/cmdline); do
      case $word in
        hostname=*) hostname "''${word#*=}" ;;
        hello.address=*) address=''${word#*=} ;;
      esac
    done
    ip link set lo up
    if [ -e /sys/class/net/eth0 ] && [ -n "$address" ]; then
      ip address add "$address" dev eth0
      ip link set eth0 up
    fi
    mkdir -p /www
    echo "hello from $(hostname)" >/www/index.html
    httpd -p 80 -h /www
    echo "hello: ready, at ''${address:-no address}"
  '';

  # A request of microvm-shutdown arrives as Ctrl-Alt-Del.
  inittab = file "inittab" "444" ''
    ::sysinit:${start}
    ::ctrlaltdel:reboot
    ::shutdown:umount -a -r
  '';

  init = file "init" "555" ''
    #!${sh}
    export PATH=/bin
    ${busybox}/busybox mkdir -p /bin /etc
    ${busybox}/busybox --install -s /bin
    ln -sf ${inittab} /etc/inittab
    exec init
  '';
in
derivation {
  name = "hello-system";
  system = builtins.currentSystem;
  builder = "${busybox}/busybox";
  args = [ "sh" "-euc" ''${busybox}/busybox mkdir "$out"; ${busybox}/busybox ln -s ${init} "$out/init"'' ];
}
