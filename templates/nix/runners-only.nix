# SPDX-License-Identifier: MIT
# A NixOS module beside microvm.nix's own module microvm, which keeps setting the guest up: mvmbuild
# makes its runners.
{ config, lib, pkgs, ... }:

let
  ours = import ./lib.nix;

  runnerOf = hypervisor: ours.buildRunner {
    inherit pkgs;
    inherit (config.system.build) toplevel;
    # The guest's own initrd is not booted, and other hypervisors' packages are not built.
    microvmConfig = removeAttrs config.microvm
      ([ "deploy" "initrdPath" ] ++ lib.remove hypervisor ours.hypervisors) // {
        inherit hypervisor;
        inherit (config.networking) hostName;
        registerClosure = true; # as a finished database
      };
  };
in
{
  microvm.runner = lib.mkForce (lib.genAttrs ours.hypervisors runnerOf);
  # Otherwise microvm.nix names a closureInfo for the guest, which then would be packed.
  microvm.registerClosure = lib.mkForce false;
}
