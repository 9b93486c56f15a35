# SPDX-License-Identifier: MIT
# What the modules know of each hypervisor.
rec {
  names = builtins.attrNames packages;

  # The package of nixpkgs, and its program.
  packages = {
    qemu = "qemu";
    cloud-hypervisor = "cloud-hypervisor";
    firecracker = "firecracker";
    crosvm = "crosvm";
    kvmtool = "kvmtool";
    stratovirt = "stratovirt";
    alioth = "alioth";
    vfkit = "vfkit";
  };

  # The guest finds its disks by serial number, and not by label or order.
  hasSerials = name: builtins.elem name
    [ "qemu" "cloud-hypervisor" "crosvm" "stratovirt" "vfkit" ];
}
