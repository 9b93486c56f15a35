# SPDX-License-Identifier: MIT
# A toplevel whose closure has so many small store paths, each referring to some before it, as a
# NixOS system's units do.
{ count ? 1000 }:

let
  inherit (builtins) genList elemAt toFile;
  # Made while this is evaluated: to build ten thousand takes half an hour.
  paths = genList (n: toFile "unit-${toString n}.service" ''
    ${toString n}
    ${toString (if n == 0 then [ ] else map (k: elemAt paths (n / k)) (if n < 4 then [ 2 ] else [ 2 3 5 ]))}
  '') (count - 1);
in
derivation {
  name = "thousand";
  # As a file: there may be more of them than an environment holds.
  references = toString paths;
  passAsFile = [ "references" ];
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "mkdir $out; echo '#!/bin/sh' > $out/init; chmod +x $out/init; cp $referencesPath $out/units" ];
  PATH = "/bin:/usr/bin";
}
