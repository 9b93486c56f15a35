# SPDX-License-Identifier: MIT
# A VM and the layers of its paths, made by templates/nix. `tool` and `config` change paths.
{
  busyboxProgram ? "/usr/bin/busybox",
  kernelPackage, # an unpacked Debian kernel: ../kernel.sh
  hostTools, # a directory with bin/{mvmbuild,bash,...}: nix_stage_host in ../nix.sh makes it
  tool ? "first",
  config ? "first",
  from ? "", # a cache that others fill
  owner ? "",
}:

let
  inherit (import ./nixos-shape.nix { inherit busyboxProgram kernelPackage; })
    toplevel linux kernelModules;
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) run busybox;
  host = run "host-tools" { files = builtins.path { name = "files"; path = hostTools; }; }
    ''cp -r $files $out'';
  package = name: word: run name { } ''
    mkdir -p "$out/bin"
    echo "${word} ${busybox}" > "$out/bin/word"
    seq 20000 > "$out/numbers"
  '';
  tools = package "tools" tool;
  generated = package "generated" "same";
  description = {
    inherit toplevel;
    hostName = "layered";
    storeDir = builtins.storeDir;
    storePaths = [ tools generated (package "config" config) ];
    storeDisk = { level = 5; blockSize = null; };
    storeDiskSquashfsFlags = [ "-c" "zstd" ];
  };
  programs = { mvmbuild = host; bash = host; coreutils = host; };
  runner = arguments: import ../../../../templates/nix/runner.nix
    (programs // { inherit description; } // arguments);
  layersOf = description: import ../../../../templates/nix/layers.nix (programs // {
    inherit description;
    layers = [
      { name = "kernel"; roots = [ linux kernelModules null ]; }
      { name = "base"; roots = [ busybox ]; above = [ ]; }
      { name = "packages"; roots = [ tools ]; above = [ "base" ]; }
      { name = "nothing"; }
      { name = "generated"; text = "exec ${generated}/bin/word"; above = [ "base" ]; }
    ];
  });
  layers = layersOf description;
in
{
  inherit layers linux kernelModules;
  plain = runner { };
  layered = runner { inherit layers; };
  shared = runner {
    extraArgs = [ "--cache-from" from ] ++ (if owner == "" then [ ] else [ "--cache-owner" owner ]);
  };
  without = layersOf (description // { storeDisk.engine = "mksquashfs"; });
}
