# SPDX-License-Identifier: MIT
# Less to build, to pack and to start, by defaults that a configuration can change.
{ config, options, lib, ... }:

let
  inherit (lib) mkDefault mkIf optionalAttrs;
  cfg = config.microvm;
  canSwitch = config.services.openssh.enable &&
    lib.any (share: share.source == cfg.storeDir) cfg.shares;
in
mkIf (cfg.guest.enable && cfg.optimize.enable) {
  documentation.enable = mkDefault false;

  boot = {
    initrd.systemd = {
      enable = mkDefault
        (lib.elem cfg.hypervisor [ "qemu" "cloud-hypervisor" "firecracker" "stratovirt" ]);
    } // optionalAttrs (options.boot.initrd.systemd ? tpm2) { tpm2.enable = mkDefault false; };
    # There is one serial console.
    kernelParams = [ "8250.nr_uarts=1" ];
  } // optionalAttrs (options.boot ? swraid) { swraid.enable = mkDefault false; };

  networking.useNetworkd = mkDefault true;
  systemd = {
    # It waits for interfaces that never come up (https://github.com/systemd/systemd/issues/29388).
    network.wait-online.enable = mkDefault false;
  } // optionalAttrs (options.systemd ? tpm2) { tpm2.enable = mkDefault false; };

  # A store on a disk has no other system to switch to.
  system = optionalAttrs (options.system ? switch) {
    switch.enable = mkIf (!canSwitch) (mkDefault false);
  };
}
