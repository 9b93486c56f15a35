# A NixOS microVM. inputs.mvmbuild.url is where mvmbuild's sources are: a directory (path:/…) or a
# repository (git+https://…). Then, in a directory for the VM's volume:
#
#   nix run /path/to/this/flake
{
  description = "A NixOS microVM";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    mvmbuild.url = "path:/usr/local/src/mvmbuild";
    # mvmbuild is built with this flake's nixpkgs.
    mvmbuild.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { self, nixpkgs, mvmbuild }:
    let
      system = "x86_64-linux";
    in
    {
      packages.${system} = {
        default = self.packages.${system}.my-microvm;
        my-microvm = self.nixosConfigurations.my-microvm.config.microvm.declaredRunner;
      };

      nixosConfigurations.my-microvm = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [
          mvmbuild.nixosModules.microvm
          {
            networking.hostName = "my-microvm";
            system.stateVersion = nixpkgs.lib.trivial.release;
            services.getty.autologinUser = "root";
            microvm = {
              hypervisor = "qemu";
              volumes = [ {
                image = "var.img";
                mountPoint = "/var";
                size = 256;
              } ];
              # The VM uses the host's store, so no disk is built for it. Use virtiofs for a VM that
              # systemd starts, or leave the share out for a VM that is independent of this host.
              shares = [ {
                proto = "9p";
                tag = "ro-store";
                source = "/nix/store";
                mountPoint = "/nix/.ro-store";
              } ];
            };
          }
        ];
      };
    };
}
