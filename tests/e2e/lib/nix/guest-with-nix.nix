# SPDX-License-Identifier: MIT
# A guest in which Nix works: the machine's own nix program with all its libraries, as store paths.
# Its init does what the kernel parameter mvm.test=STEP,STEP,... names, each between the lines
# "BEGIN STEP" and "END STEP STATUS", then says "nix-guest: done" and ends the VM.
{
  busyboxProgram ? "/usr/bin/busybox",
  # a directory with bin/nix and lib/ (all its libraries and ld.so): nix_stage_nix in ../nix.sh
  # makes it
  nixFiles,
}:

let
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) busybox run script;

  stateDir = "${dirOf builtins.storeDir}/var/nix"; # as for /nix/store

  files = builtins.path { name = "nix-files"; path = nixFiles; };

  nix = run "nix" {
    wrapper = ''
      #!${busybox}/bin/sh
      export NIX_STORE_DIR=${builtins.storeDir} NIX_STATE_DIR=${stateDir} NIX_CONFIG="build-hook = ''${0%/*}/build-remote"
      exec ${files}/lib/ld-linux-x86-64.so.2 --library-path ${files}/lib --argv0 "''${0##*/}" ${files}/bin/nix "$@"
    '';
  } ''
    mkdir -p "$out/bin"
    printf %s "$wrapper" > "$out/bin/nix"
    chmod +x "$out/bin/nix"
    for name in nix-store nix-build nix-instantiate nix-collect-garbage build-remote; do ln -s nix "$out/bin/$name"; done
  '';

  steps = script "steps" ''
    top=$1
    export PATH=$PATH:${nix}/bin HOME=/root TERM=dumb PAGER=cat
    mkdir -p /root /etc /tmp ${stateDir}/gcroots /dev/pts
    mount -t devpts devpts /dev/pts # builds want a terminal
    echo root:x:0:0:root:/root:${busybox}/bin/sh > /etc/passwd
    echo nixbld1:x:30001:30000:builder:/var/empty:/noshell >> /etc/passwd
    { echo root:x:0:; echo nixbld:x:30000:nixbld1; } > /etc/group

    parameter() { tr ' ' '\n' < /proc/cmdline | sed -n "s|^$1=||p" | tail -n 1; }

    step() {
      case $1 in
      load-db) nix-store --load-db < "$(parameter regInfo)" ;; # as NixOS guests of microvm.nix do
      verify) nix-store --verify --check-contents ;;
      paths) nix-store --verify ;; # without reading them
      requisites) nix-store -qR "$top" ;;
      dump) nix-store --dump-db ;; # all that is registered
      registered) nix path-info --all --offline --extra-experimental-features nix-command ;;
      gc) nix-store --gc ;;
      dead) nix-store --gc --print-dead ;;
      ls) ls -A ${builtins.storeDir} ;;
      db) ls -l ${stateDir}/db ;;
      roots) nix-store --gc --print-roots ;;
      mounts) cat /proc/mounts ;;
      store) stat -c '%a %u:%g' ${builtins.storeDir} ;;
      # A new path, whose text contains the parameter mvm.text; it is garbage unless `keep` follows.
      add) echo "$(parameter mvm.text)" > /tmp/added && nix-store --add /tmp/added ;;
      keep) ln -sfn "$(nix-store --add /tmp/added)" ${stateDir}/gcroots/added ;;
      # New paths without end. Each is printed when it is registered, with the text in it.
      busy)
        i=0
        while :; do
          i=$((i + 1))
          mkdir -p /tmp/tree/deep
          for n in 1 2 3 4 5; do echo "$(parameter mvm.text) $i $n" > /tmp/tree/deep/$n; done
          head -c 200000 /dev/zero | tr '\0' x > /tmp/tree/large
          echo "registered $(nix-store --add /tmp/tree)"
        done
        ;;
      # A path that refers to the one that mvm.needs names.
      needing) nix-instantiate --eval --read-write-mode -E "builtins.toFile \"needing\" \"\''${builtins.storePath $(parameter mvm.needs)}\"" ;;
      query) nix-store -qR "$(parameter mvm.needs)" | wc -l ;;
      uptime) cut -d' ' -f1 /proc/uptime ;;
      collect) nix-collect-garbage -d ;;
      write) touch ${builtins.storeDir}/.mark && rm ${builtins.storeDir}/.mark ;;
      build)
        nix-build --no-out-link --option sandbox false --option build-users-group "" --option substitute false -E '
          derivation {
            name = "built-in-guest";
            system = builtins.currentSystem;
            builder = "''${builtins.storePath ${busybox}}/bin/sh";
            args = [ "-c" "echo built > $out" ];
          }'
        ;;
      *) echo "no such step"; false ;;
      esac
    }

    for name in $(parameter mvm.test | tr , ' '); do
      echo "BEGIN $name"
      step "$name" 2>&1
      echo "END $name $?"
    done
    echo "nix-guest: done"
  '';
in
{
  toplevel = run "nix-guest" {
    init = ''
      #!${busybox}/bin/sh
      ${steps} @out@
      ${busybox}/bin/sync
      ${busybox}/bin/reboot -f
    '';
  } ''
    mkdir "$out"
    printf %s "$init" | sed "s|@out@|$out|" > "$out/init"
    chmod +x "$out/init"
  '';
}
