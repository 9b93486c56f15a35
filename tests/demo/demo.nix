# SPDX-License-Identifier: MIT
# A small system of a few store paths with real references, built from busybox alone and without
# network: nix-build demo.nix -A toplevel
{ busyboxProgram ? "/usr/bin/busybox" }: # a static one, from this machine

let
  program = builtins.path {
    name = "busybox-program";
    path = dirOf busyboxProgram;
    filter = path: type: path == busyboxProgram;
  };
  source = "${program}/${baseNameOf busyboxProgram}";

  busybox = derivation {
    name = "busybox";
    system = builtins.currentSystem;
    builder = source;
    args = [
      "sh"
      "-euc"
      ''
        run=${source}
        $run mkdir -p "$out/bin"
        $run cp $run "$out/bin/busybox"
        for applet in $($run --list); do
          [ "$applet" = busybox ] || $run ln -s busybox "$out/bin/$applet"
        done
      ''
    ];
  };

  # A store path made by a shell script that writes $out.
  run = name: attributes: script: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "${busybox}/bin/sh";
    args = [ "-euc" script ];
    PATH = "${busybox}/bin";
  } // attributes);

  # A script to run in the guest, one executable file.
  script = name: text: run name {
    text = ''
      #!${busybox}/bin/sh
      export PATH=${busybox}/bin
      ${text}'';
  } ''printf %s "$text" > "$out"; chmod +x "$out"'';

  message = builtins.toFile "message" "Hello from a store path.\n";

  data = run "words-1.0" { inherit message; } ''
    mkdir -p "$out/share/words/empty directory" "$out/lib"
    seq 1 100000 > "$out/share/words/numbers"
    head -c 300000 /dev/zero > "$out/share/words/zeros"
    : > "$out/share/words/empty"
    printf 'naïve café\n' > "$out/share/words/naïve café"
    ln "$out/share/words/numbers" "$out/lib/libwords.so.1.0"
    ln -s libwords.so.1.0 "$out/lib/libwords.so"
    ln -s "$message" "$out/share/words/message"
  '';

  etc = run "etc" { inherit message; } ''
    mkdir -p "$out"
    echo root:x:0:0:root:/root:${busybox}/bin/sh > "$out/passwd"
    echo root:x:0: > "$out/group"
    ln -s "$message" "$out/motd"
  '';

  # Checksums of the files that the guest must read, made on this machine.
  checksums = run "checksums" { } ''
    find ${busybox} ${data} ${etc} ${message} -type f | sort | tr '\n' '\0' | xargs -0 sha256sum > "$out"
  '';

  report = script "report" ''
    top=$1
    failures=0
    say() { echo "demo: $*"; }
    fail() { failures=$((failures + 1)); say "FAILED $*"; }

    say "$(cat ${etc}/motd)"
    say "kernel $(uname -r), clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
    while read -r source target type options rest; do
      say "mount $target $type ''${options%%,*} $source"
    done < /proc/mounts

    paths=0
    while read -r path; do
      paths=$((paths + 1))
      [ -e "$path" ] || fail "missing $path"
    done < "$top/store-paths"
    say "store $paths paths, $(($(ls ${builtins.storeDir} | wc -l) - paths)) others"

    if sha256sum -c -s ${checksums}; then
      say "contents $(wc -l < ${checksums}) files as they were built"
    else
      fail "contents: $(sha256sum -c ${checksums} 2>/dev/null | grep -v ': OK$')"
    fi

    read -r uptime rest < /proc/uptime
    say "up $uptime seconds after the kernel started"
    say "done, $failures failures"
  '';

  toplevel = run "demo-system" {
    exportReferencesGraph = [ "inputs" report "etc-inputs" etc ];
    init = ''
      #!${busybox}/bin/sh
      ${report} @out@
      ${busybox}/bin/reboot -f
    '';
  } ''
    mkdir "$out"
    printf %s "$init" | sed "s|@out@|$out|" > "$out/init"
    chmod +x "$out/init"
    ln -s ${etc} "$out/etc"
    { grep -h '^${builtins.storeDir}/' inputs etc-inputs; echo "$out"; } | sort -u > "$out/store-paths"
  '';
in
{ inherit busybox run script message data etc checksums report toplevel; }
