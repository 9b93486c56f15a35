# SPDX-License-Identifier: MIT
# A toplevel whose closure has 1,000 small store paths, each referring to some before it, as a NixOS system's units do.
let
  inherit (builtins) genList elemAt;
  path = name: script: references: derivation {
    inherit name references;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" script ];
    PATH = "/bin:/usr/bin";
  };
  paths = genList (n: path "unit-${toString n}.service" "echo ${toString n} $references > $out"
    (if n == 0 then [ ] else map (k: elemAt paths (n / k)) (if n < 4 then [ 2 ] else [ 2 3 5 ]))) 999;
in
path "thousand" "mkdir $out; echo '#!/bin/sh' > $out/init; chmod +x $out/init; echo $references > $out/units" paths
