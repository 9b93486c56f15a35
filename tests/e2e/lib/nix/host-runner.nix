# SPDX-License-Identifier: MIT
# A runner made by templates/nix/runner.nix, of the system in nixos-shape.nix: kernel and modules
# come from the toplevel.
{
  busyboxProgram ? "/usr/bin/busybox",
  kernelPackage, # an unpacked Debian kernel: ../kernel.sh
  hostTools, # a directory with bin/{mvmbuild,bash,...}: nix_stage_host in ../nix.sh makes it
}:

let
  inherit (import ./nixos-shape.nix { inherit busyboxProgram kernelPackage; }) toplevel linux;
  inherit (import ../../../demo/demo.nix { inherit busyboxProgram; }) data run;
  host = run "host-tools" { files = builtins.path { name = "files"; path = hostTools; }; }
    ''cp -r $files $out'';
  make = extraArgs: description: import ../../../../templates/nix/runner.nix {
    inherit extraArgs;
    mvmbuild = host;
    bash = host;
    coreutils = host;
    description = { inherit toplevel; storeDir = builtins.storeDir; mem = 256; } // description;
  };
  mk = make [ ];
  package = name: run name { } "mkdir $out";
  nixbuilt = { hostName = "nixbuilt"; volumes = [ { image = "data.img"; size = 8; } ]; };
  # A cache as a derivation.
  layer = derivation {
    name = "cache-layer";
    system = builtins.currentSystem;
    builder = "${host}/bin/bash";
    __structuredAttrs = true;
    outputs = [ "out" ];
    exportReferencesGraph.closure = [ toplevel ];
    args = [ "-euc" ''
      [ -r "''${NIX_ATTRS_JSON_FILE-}" ] || export NIX_ATTRS_JSON_FILE=$NIX_BUILD_TOP/.attrs.json
      . "''${NIX_ATTRS_JSON_FILE%.json}.sh"
      export TERM=dumb
      ${host}/bin/mvmbuild cache pack --progress plain --cache "''${outputs[out]}" --set storeDir=${builtins.storeDir} ${toplevel}
    '' ];
  };
in
{
  inherit host toplevel linux data layer;
  runner = mk nixbuilt;
  # Its disk is linked from the cache.
  layered = make [ "--cache-from" layer ] nixbuilt;
  # A description that names packages of parts that its VM does not have.
  lean = mk (nixbuilt // {
    crosvm = { package = package "unused-crosvm"; pivotRoot = null; };
    graphics.crosvmPackage = package "unused-crosvm";
    virtiofsd.package = package "unused-virtiofsd";
    vmHostPackages = package "unused-packages";
  });
  # For a host of another system.
  elsewhere = (import ../../../../templates/nix/runner.nix {
    mvmbuild = host;
    bash = host;
    coreutils = host;
    hostSystem = "aarch64-linux";
    host = { bash = package "bash-aarch64"; coreutils = package "coreutils-aarch64"; };
    description = { inherit toplevel; hostName = "elsewhere"; };
  }).description;
  # A derivation as it is, in preStart's text, and further paths for the guest.
  odd = mk {
    microvm = {
      hostName = "odd"; vcpu = 2; socket = null; storePaths = [ data ];
      preStart = "cat ${data}/share/words/message";
    };
  };
}
