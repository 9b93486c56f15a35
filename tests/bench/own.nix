# SPDX-License-Identifier: MIT
# For each of so many VMs three small store paths of its own: a line for each VM.
{ count }:

let
  inherit (builtins) concatStringsSep genList toFile;
  own = n: map (name: toFile "vm${toString (n + 1)}-${name}" "${name} of VM ${toString (n + 1)}\n")
    [ "etc" "network.service" "users.json" ];
in
derivation {
  name = "own-paths";
  lines = concatStringsSep "\n" (genList (n: concatStringsSep ", " (own n)) count);
  passAsFile = [ "lines" ];
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "cp $linesPath $out" ];
  PATH = "/bin:/usr/bin";
}
