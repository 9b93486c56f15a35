# SPDX-License-Identifier: MIT
# What templates/nix/export.nix makes of configurations that are evaluated by microvm.nix's own
# guest module: on a real NixOS with `nixpkgs`, or with `nixlib`, nixpkgs' lib alone, on a NixOS
# without packages. `cases` has a module for each.
{ reference, nixlib ? null, nixpkgs ? null, cases ? import ./reference-cases.nix }:

let
  lib = import (if nixpkgs != null then nixpkgs + "/lib" else nixlib + "/lib");
  guest = reference + "/nixos-modules/microvm";

  # ---- a NixOS without packages ----
  system = "x86_64-linux";
  hash = name: builtins.replaceStrings [ "e" ] [ "g" ]
    (builtins.substring 0 32 (builtins.hashString "sha256" name));
  output = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/${hash name}-${name}";
    meta.mainProgram = name;
  };
  package = name: output name // rec {
    version = "99.9";
    drvPath = "/nix/store/${hash name}-${name}.drv";
    out = output name;
    dev = output name;
    lib = output name;
    configureFlags = [ ];
    override = _: package name;
    overrideAttrs = override;
  };
  made = name: _: package name;
  platform = {
    inherit system;
    isLinux = true;
    isDarwin = false;
    linux-kernel.target = "bzImage";
  };
  pkgs = lib.genAttrs [
    "alioth" "bash" "btrfs-progs" "cloud-hypervisor" "cloud-hypervisor-graphics" "coreutils"
    "coreutils-full" "crosvm" "curl" "dosfstools" "e2fsprogs" "erofs-utils" "expect" "firecracker"
    "gawk" "gnused" "iproute2" "jq" "kmod" "kvmtool" "libguestfs" "libguestfs-appliance" "libusb1"
    "linux" "netcat" "nix" "openssh" "parted" "python3" "qemu" "qemu_kvm" "socat"
    "squashfs-tools-ng" "stratovirt" "systemd" "time" "util-linux" "vfkit" "virtiofsd" "waypipe"
    "wayland-proxy-virtwl" "xfsprogs" "bubblewrap"
  ] package // {
    _type = "pkgs";
    inherit lib system;
    stdenv = { inherit system; hostPlatform = platform; targetPlatform = platform; };
    buildPackages = pkgs;
    python3Packages.supervisor = package "supervisor";
    closureInfo = made "closure-info";
    writeClosure = made "closure";
    writeShellScript = made;
    writeShellScriptBin = made;
    writeText = made;
    replaceVars = _: made "replaced";
    writers = { writeJSON = made; writePython3 = name: _: made name; };
    runCommand = name: attributes: _:
      package name // { passthru = attributes.passthru or { }; } // (attributes.passthru or { });
    runCommandLocal = pkgs.runCommand;
  };
  free = options: lib.mkOption {
    type = lib.types.submodule {
      freeformType = lib.types.attrsOf lib.types.raw;
      inherit options;
    };
    default = { };
  };
  any = default: lib.mkOption { type = lib.types.raw; inherit default; };
  list = lib.mkOption { type = lib.types.listOf lib.types.raw; default = [ ]; };
  withoutPackages = { config, ... }: {
    config._module.check = false;
    options = {
      assertions = list;
      warnings = list;
      fileSystems = lib.mkOption { type = lib.types.attrsOf lib.types.raw; default = { }; };
      networking = free { hostName = any "nixos"; hostId = any null; };
      system = free { };
      nix = free {
        enable = any true;
        package = any (package "nix");
        optimise = free { automatic = any false; };
        settings = free { auto-optimise-store = any false; };
      };
      services = free { openssh = free { enable = any false; }; };
      security = free { virtualisation = free { flushL1DataCache = any null; }; };
      boot = free {
        kernelParams = list;
        kernelPackages = any { kernel = package "linux"; };
        initrd = free { systemd = free { enable = any false; }; };
      };
      systemd = free { };
      environment = free { };
    };
    config.system = {
      boot.loader = { initrdFile = "initrd"; kernelFile = "bzImage"; };
      build.toplevel = package "nixos-system-${config.networking.hostName}";
      build.initialRamdisk = package "initrd";
      switch.enable = false;
    };
  };
  small = module: lib.evalModules {
    specialArgs = { inherit pkgs; modulesPath = "/modules"; };
    modules = [ withoutPackages guest module ];
  };

  real = module: import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit system;
    modules = [ guest module { system.stateVersion = lib.trivial.release; } ];
  };
  evaluate = if nixpkgs != null then real else small;
in
builtins.mapAttrs (_: module: import ../../../../templates/nix/export.nix {
  inherit (evaluate module) config;
}) cases
