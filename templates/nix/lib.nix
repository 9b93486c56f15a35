# SPDX-License-Identifier: MIT
# The flake's lib. It has the names that configurations use of microvm.nix's.
rec {
  hypervisors = [
    "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit"
  ];
  hypervisorsWithNetwork = hypervisors;
  defaultFsType = "ext4";

  # The runner of any evaluated configuration with microvm.nix's options.
  buildRunner = {
    pkgs,
    microvmConfig, # config.microvm, and hostName
    toplevel,
    mvmbuild ? import ./package.nix pkgs,
  }:
    let
      host = microvmConfig.vmHostPackages or pkgs;
      config = {
        microvm = removeAttrs microvmConfig [ "hostName" ];
        networking = { inherit (microvmConfig) hostName; };
        system.build = { inherit toplevel; };
      };
    in
    import ./runner.nix {
      inherit (host) bash coreutils gnutar gzip;
      inherit mvmbuild;
      # Taps and macvtaps need ip, PCI devices modprobe.
      programs = [ host.iproute2 host.kmod ];
      inherit (host.stdenv.hostPlatform) system;
      description = import ./export.nix { inherit config; };
    };
}
