# SPDX-License-Identifier: MIT
# A system whose disk takes some time: tens of MB that compress slowly, and many small files. It
# does not boot.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) run;
  bulk = run "bulk" { } ''
    mkdir -p "$out/small"
    for n in 1 2 3 4 5 6; do head -c 8000000 /dev/urandom | base64 > "$out/large-$n"; done
    for n in $(seq 2000); do echo "$n" > "$out/small/$n"; done
  '';
in
{
  toplevel = run "bulk-system" { inherit bulk; }
    ''mkdir "$out"; echo "$bulk" > "$out/init"; chmod +x "$out/init"'';
}
