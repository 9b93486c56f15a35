# SPDX-License-Identifier: MIT
# The options of microvm.nix's guest module and of templates/nix/microvm with their defaults in an
# empty configuration, for e2e/nix/nixos_module_test.sh. It needs the library of nixpkgs alone; a
# package is its name.
{
  nixpkgs,
  reference, # sources of microvm.nix
}:

let
  lib = import (nixpkgs + "/lib");
  inherit (lib) concatMap genAttrs isOption mkOption types;

  package = name: {
    type = "derivation";
    inherit name;
    version = "6.6";
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
    drvPath = "/nix/store/00000000000000000000000000000000-${name}.drv";
  };
  platform = { system = "x86_64-linux"; isLinux = true; isDarwin = false; };
  pkgs = genAttrs [
    "alioth" "cloud-hypervisor" "crosvm" "firecracker" "kvmtool" "mvmbuild" "qemu" "qemu_kvm"
    "stratovirt" "vfkit" "virtiofsd"
  ] package // {
    _type = "pkgs";
    stdenv.hostPlatform = platform;
    buildPackages = pkgs;
  };

  # What the options' defaults read of NixOS.
  nixos = {
    options = genAttrs [ "assertions" "boot" "networking" "system" "warnings" ]
      (name: mkOption { type = types.anything; default = { }; });
    config = {
      _module.args.pkgs = pkgs;
      networking.hostName = "vm";
      boot.kernelPackages.kernel = package "linux";
      system = {
        boot.loader = { initrdFile = "initrd"; kernelFile = "bzImage"; };
        build = { toplevel = package "system"; initialRamdisk = "/initrd"; };
      };
    };
  };
  optionsOf = module: (lib.evalModules { modules = [ nixos module ]; }).options.microvm;
  # microvm.nix declares these in other files than the rest.
  others = {
    options.microvm = {
      bootDisk = mkOption { type = types.path; };
      deploy = genAttrs [ "installOnHost" "rebuild" "sshSwitch" ]
        (name: mkOption { type = types.package; });
      vsock.ssh.enable = mkOption { type = types.bool; default = false; };
    };
  };

  # Packages, and what is a package in one of the two, are shown by their names.
  shown = value:
    if lib.isDerivation value then value.name
    else if value._type or null == "pkgs" then "pkgs"
    else value;
  # What only a build gives.
  results = [ "bootDisk" "declaredRunner" "deploy" "runner" "storeDisk" ];
  valueOf = option: if option.isDefined then shown option.value else null;
  isHidden = name: lib.hasPrefix "_" name;
  inner = prefix: option: concatMap
    (name: elements "${prefix}.${name}" (option.type.getSubOptions [ ]).${name})
    (lib.filter (name: !isHidden name) (lib.attrNames (option.type.getSubOptions [ ])));
  # In the elements of a list: these have no values.
  elements = name: option:
    if isOption option then [ { inherit name; value = option.default or null; } ]
    else concatMap (key: elements "${name}.${key}" option.${key}) (lib.attrNames option);
  walk = prefix: options: concatMap
    (key:
      let
        name = prefix + key;
        option = options.${key};
      in
      if lib.elem name results then [ { inherit name; value = null; } ]
      else if isOption option
      then [ { inherit name; value = valueOf option; } ] ++ inner name option
      else walk "${name}." option)
    (lib.attrNames options);
  tableOf = module: lib.listToAttrs (walk "" (optionsOf module));
in
{
  theirs = tableOf { imports = [ (reference + "/nixos-modules/microvm/options.nix") others ]; };
  ours = tableOf ../../../../templates/nix/microvm/options.nix;
}
