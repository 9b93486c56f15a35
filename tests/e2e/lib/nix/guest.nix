# SPDX-License-Identifier: MIT
# Builds the guests of the tests: a system with one script, its init.
{ busyboxProgram ? "/usr/bin/busybox" }:

let
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) busybox run;
in
{
  inherit busybox run;

  # `init` is the whole text, with its interpreter.
  system = name: init: run name { inherit init; } ''
    mkdir "$out"
    printf %s "$init" > "$out/init"
    chmod +x "$out/init"
  '';
}
