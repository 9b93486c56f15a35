# SPDX-License-Identifier: MIT
# A toplevel whose closure has so many small store paths, each referring to some before it, as a NixOS system's units do.
{ count ? 1000 }:

let
  inherit (builtins) genList elemAt;
  path = name: script: references: derivation {
    inherit name references;
    passAsFile = if name == "thousand" then [ "references" ] else [ ];
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" script ];
    PATH = "/bin:/usr/bin";
  };
  paths = genList (n: path "unit-${toString n}.service" "echo ${toString n} $references > $out"
    (if n == 0 then [ ] else map (k: elemAt paths (n / k)) (if n < 4 then [ 2 ] else [ 2 3 5 ]))) (count - 1);
in
# As a file: there may be more of them than an environment holds.
path "thousand" "mkdir $out; echo '#!/bin/sh' > $out/init; chmod +x $out/init; cp $referencesPath $out/units" paths
