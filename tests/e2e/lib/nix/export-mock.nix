# SPDX-License-Identifier: MIT
# A configuration of microvm.nix as templates/nix/export.nix sees it: packages, functions, package
# sets, values that throw.
{ initrd ? null }:

let
  package = name:
    derivation { inherit name; system = builtins.currentSystem; builder = "/bin/sh"; };
  pkgs = { callPackage = f: f; stdenv = throw "not to be evaluated"; hello = package "hello"; };
in
import ../../../../templates/nix/export.nix {
  config = {
    networking.hostName = "mock";
    system.build.toplevel = package "system";
    microvm = {
      hypervisor = "qemu";
      kernel = package "package";
      mem = 512;
      vcpu = 1;
      kernelParams = [ "quiet" "init=/x" "regInfo=${package "closure-info"}/registration" ];
      balloon = false;
      user = null;
      volumes = [ { image = /var/data.img; size = 8; mountPoint = null; label = null; } ];
      shares = [
        {
          tag = "ro-store"; source = "/nix/store"; mountPoint = "/nix/.ro-store";
          readOnly = false;
        }
        { tag = "ro"; source = "/srv"; mountPoint = "/srv"; readOnly = true; }
      ];
      interfaces = [ { type = "user"; id = "net0"; mac = "02:00:00:00:00:01"; } ];
      qemu = { package = package "package"; extraArgs = [ "-a" "b" ]; inherit pkgs; };
      apply = x: x;
      broken = throw "option used but not defined";
      guest.enable = true;
      runner = { qemu = throw "generated"; };
      declaredRunner = throw "generated";
      bootDisk = package "boot";
      storeDisk = package "store";
      vmHostPackages = pkgs;
    };
  };
  overrides = { vcpu = 7; } // (if initrd == null then { } else { inherit initrd; });
}
