# SPDX-License-Identifier: MIT
# nixosModules.microvm: a NixOS that runs as a microVM, whose runner mvmbuild makes. The options are
# those of microvm.nix and mvmbuild's own; docs/nixos.md has the way from there to here.
{
  imports = [
    ./options.nix
    ./assertions.nix
    ./system.nix
    ./filesystems.nix
    ./optimize.nix
    ./graphics.nix
    ./vsock.nix
    ./runner.nix
    ./deploy.nix
  ];
}
