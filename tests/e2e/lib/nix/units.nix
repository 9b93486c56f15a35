# SPDX-License-Identifier: MIT
# A system of many small store paths and a few large ones. It does not boot.
#   more   MB of a further path that compresses slowly; 0: none
{ busyboxProgram ? "/usr/bin/busybox", more ? "0" }:

let
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) run;
  units = builtins.genList (n: builtins.toFile "unit-${toString n}.service"
    "[Service]\nExecStart=/bin/true ${toString n}\n") 300;
  large = builtins.genList (n: run "large-${toString n}" { }
    ''head -c 1500000 /dev/urandom | base64 > "$out"'') 3;
  slow = run "slow" { inherit more; }
    ''head -c "$((more * 1000000))" /dev/urandom | base64 > "$out"'';
in
{
  toplevel = run "units-system" {
    paths = units ++ large ++ (if more == "0" then [ ] else [ slow ]);
  } ''mkdir "$out"; echo "$paths" > "$out/init"; chmod +x "$out/init"'';
}
