# SPDX-License-Identifier: MIT
# NixOS systems that run as microVMs: one for each hypervisor, with and without a tap interface, one
# with a screen over VNC, and a host of further VMs.
{
  pkgs,
  modules, # nixosModules
}:

let
  inherit (pkgs) lib;
  inherit (import ../lib.nix) hypervisors;

  nixos = configuration: import (pkgs.path + "/nixos/lib/eval-config.nix") {
    inherit lib;
    system = null;
    modules = [
      {
        nixpkgs.pkgs = pkgs;
        system.stateVersion = lib.trivial.release;
      }
      configuration
    ];
  };

  package = hypervisor: pkgs.${if hypervisor == "qemu" then "qemu_kvm" else hypervisor} or null;
  available = lib.filter (hypervisor: package hypervisor != null &&
    lib.meta.availableOn pkgs.stdenv.hostPlatform (package hypervisor)) hypervisors;
  number = hypervisor: lib.lists.findFirstIndex (other: other == hypervisor) null hypervisors;

  ssh = {
    services.openssh = {
      enable = true;
      settings.PermitRootLogin = "yes";
    };
    networking.firewall.allowedTCPPorts = [ 22 ];
  };

  # The console is logged in; QEMU's VM answers ssh on port 2222 of the host, too.
  example = hypervisor: {
    imports = [ modules.microvm ] ++ lib.optional (hypervisor == "qemu") ssh;
    networking.hostName = "${hypervisor}-microvm";
    services.getty.autologinUser = "root";
    microvm = {
      inherit hypervisor;
      # QEMU can share the host's store; other VMs get a disk with theirs.
      shares = lib.optional (hypervisor == "qemu") {
        tag = "ro-store";
        source = "/nix/store";
        mountPoint = "/nix/.ro-store";
        proto = "9p";
      };
      interfaces = lib.optional (hypervisor == "qemu" || hypervisor == "kvmtool") {
        type = "user";
        id = "user";
        mac = "02:00:00:01:01:01";
      };
      forwardPorts = lib.optional (hypervisor == "qemu") {
        host.port = 2222;
        guest.port = 22;
      };
    };
  };

  withTap = hypervisor: {
    imports = [ modules.microvm ssh ];
    networking.hostName = "${hypervisor}-microvm";
    services.getty.autologinUser = "root";
    microvm = {
      inherit hypervisor;
      interfaces = [ {
        type = "tap";
        id = "vm-${builtins.substring 0 4 hypervisor}";
        mac = "02:00:00:01:01:0${toString (number hypervisor + 1)}";
      } ];
    };
  };

  vnc = {
    imports = [ modules.microvm ];
    networking.hostName = "qemu-vnc";
    microvm = {
      hypervisor = "qemu";
      graphics.enable = true;
      qemu.extraArgs = [ "-vnc" ":0" "-vga" "qxl" "-device" "virtio-keyboard" ];
    };
    services.getty.autologinUser = "root";
    services.xserver = {
      enable = true;
      desktopManager.xfce.enable = true;
    };
  };

  # A microVM that is itself a host, with one VM for each hypervisor on a bridge.
  address = hypervisor: "10.0.0.${toString (number hypervisor + 2)}";
  mac = hypervisor: "02:00:00:02:01:0${toString (number hypervisor + 1)}";
  host = {
    imports = [ modules.microvm modules.host ];
    networking.hostName = "microvms-host";
    services.getty.autologinUser = "root";
    microvm = {
      hypervisor = "qemu";
      mem = 8192;
      vcpu = 4;
      interfaces = [ {
        type = "user";
        id = "user";
        mac = "02:00:00:01:01:01";
      } ];
      vms = lib.genAttrs available (hypervisor: {
        config = {
          imports = [ ssh ];
          system.stateVersion = lib.trivial.release;
          networking.hostName = "${hypervisor}-microvm";
          users.users.root.password = "toor";
          systemd.network.enable = true;
          microvm = {
            inherit hypervisor;
            interfaces = [ {
              type = "tap";
              id = "vm-${builtins.substring 0 12 hypervisor}";
              mac = mac hypervisor;
            } ];
          };
        };
      });
    };
    systemd.network = {
      enable = true;
      netdevs.virbr0.netdevConfig = {
        Kind = "bridge";
        Name = "virbr0";
      };
      networks.virbr0 = {
        matchConfig.Name = "virbr0";
        address = [ "10.0.0.1/24" ];
        networkConfig.DHCPServer = true;
        extraConfig = lib.concatMapStrings (hypervisor: ''
          [DHCPServerStaticLease]
          MACAddress=${mac hypervisor}
          Address=${address hypervisor}
        '') available;
      };
      networks.microvm = {
        matchConfig.Name = "vm-*";
        networkConfig.Bridge = "virbr0";
      };
    };
    networking = {
      firewall.allowedUDPPorts = [ 67 ];
      nat = {
        enable = true;
        internalInterfaces = [ "virbr0" ];
      };
      extraHosts = lib.concatMapStrings
        (hypervisor: "${address hypervisor} ${hypervisor}\n") available;
    };
  };

  named = suffix: make: lib.listToAttrs
    (map (hypervisor: lib.nameValuePair "${hypervisor}-${suffix}" (nixos (make hypervisor)))
      available);
in
named "example" example // named "example-with-tap" withTap // {
  qemu-vnc = nixos vnc;
  vm = nixos host;
}
