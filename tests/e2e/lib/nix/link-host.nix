# SPDX-License-Identifier: MIT
# Runners whose store disk is in the image, or is linked on the host, made by templates/nix.
# `config` changes one small path of the system; `mib` is the size of another.
{
  busyboxProgram ? "/usr/bin/busybox",
  kernelPackage, # an unpacked Debian kernel: ../kernel.sh
  hostTools, # a directory with bin/{mvmbuild,bash,...}: nix_stage_host in ../nix.sh makes it
  config ? "first",
  mib ? "4",
}:

let
  inherit (import ./nixos-shape.nix { inherit busyboxProgram kernelPackage; }) toplevel;
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) run;
  host = run "host-tools" { files = builtins.path { name = "files"; path = hostTools; }; }
    ''cp -r $files $out'';
  payload = run "payload" { } ''
    mkdir "$out"
    for file in $(seq ${mib}); do head -c 1048576 /dev/urandom > "$out/$file"; done
  '';
  unit = run "unit" { } ''echo ${config} > "$out"'';
  runner = link: import ../../../../templates/nix/runner.nix {
    mvmbuild = host;
    bash = host;
    coreutils = host;
    description = {
      inherit toplevel;
      hostName = "linked";
      storeDir = builtins.storeDir;
      storePaths = [ payload unit ];
      storeDisk = { type = "erofs"; compression = "none"; inherit link; };
    };
  };
in
{
  inherit toplevel payload unit;
  inImage = runner "build";
  onHost = runner "host";
}
