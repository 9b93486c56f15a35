# SPDX-License-Identifier: MIT
# The options of a host of microVMs. They have the names and meanings of microvm.nix.
{ lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkOption types;

  # The place of the guest's module depends on neither the host's nor the guest's nixpkgs.
  guestModule = ../microvm;

  vm = { config, name, ... }: {
    options = {
      config = mkOption {
        type = types.nullOr (lib.mkOptionType {
          name = "Toplevel NixOS config";
          description = "NixOS configuration";
          merge = location: definitions:
            import "${toString config.nixpkgs}/nixos/lib/eval-config.nix" {
            modules = [
              { networking.hostName = lib.mkDefault name; }
              guestModule
            ] ++ map (definition: {
              _file = definition.file;
              imports = [ definition.value ];
            }) definitions;
            prefix = [ "microvm" "vms" name "config" ];
            inherit (config) extraModules specialArgs pkgs;
            system = (if config.pkgs != null then config.pkgs else pkgs).stdenv.hostPlatform.system;
          };
        });
        default = null;
        description = ''
          The configuration of the VM, as a NixOS module. It is built with the host's configuration.
          The module `microvm` of mvmbuild is part of it.
        '';
      };

      evaluatedConfig = mkOption {
        type = types.nullOr types.unspecified;
        default = null;
        description = ''
          A configuration that is already evaluated, such as the result of `nixpkgs.lib.nixosSystem`
          with the module `microvm`, or of another function than NixOS's own.
        '';
      };

      nixpkgs = mkOption {
        type = types.path;
        default = if config.pkgs != null then config.pkgs.path else pkgs.path;
        defaultText = literalExpression "pkgs.path";
        description = "The nixpkgs whose NixOS evaluates `config`.";
      };

      pkgs = mkOption {
        type = types.nullOr types.unspecified;
        default = pkgs;
        defaultText = literalExpression "pkgs";
        description = ''
          The package set for `config`; its system is the VM's. With null, NixOS makes a package set
          for the VM.
        '';
      };

      specialArgs = mkOption {
        type = types.attrsOf types.unspecified;
        default = { };
        description = "Further arguments of the modules in `config`, also for their `imports`.";
      };

      extraModules = mkOption {
        type = types.listOf types.deferredModule;
        default = [ ];
        example = literalExpression "[ inputs.sops-nix.nixosModules.sops ]";
        description = "Further NixOS modules for `config`.";
      };

      flake = mkOption {
        type = types.nullOr types.path;
        default = null;
        defaultText = literalExpression "inputs.my-infra";
        description = ''
          The flake that has the VM as `nixosConfigurations.NAME`. It is built with the host's
          configuration.
        '';
      };

      updateFlake = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "git+file:///home/user/my-infra";
        description = ''
          The flake from which `microvm -u` builds the VM later. The host's configuration then
          installs the VM once, and does not update it.
        '';
      };

      autostart = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the VM starts with the host: adds it to `microvm.autostart`.";
      };

      restartIfChanged = mkOption {
        type = types.bool;
        default = config.config != null;
        defaultText = literalExpression "config != null";
        description = ''
          Whether the VM is restarted when a change of the host's configuration has changed it.
        '';
      };
    };
  };
in
{
  options.microvm = {
    host.enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether this system is a host of microVMs.";
    };

    host.package = mkOption {
      type = types.package;
      default = import ../package.nix pkgs;
      defaultText = literalExpression "pkgs.mvmbuild";
      description = "The package with the commands `mvmbuild` and `microvm`.";
    };

    host.startupTimeout = mkOption {
      type = types.ints.positive;
      default = 150;
      description = ''
        The seconds after which a VM that has not started is stopped and started again. A VM extends
        them by its own `startupTimeout`.
      '';
    };

    host.useNotifySockets = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether all VMs report their readiness over vsock. Runners that mvmbuild made need no
        setting: their unit waits for the report of those guests that send one. With this option, it
        waits for each, so a VM that reports nothing never counts as started.
      '';
    };

    vms = mkOption {
      type = types.attrsOf (types.submodule vm);
      default = { };
      description = "The VMs that are built with the host's configuration.";
    };

    stateDir = mkOption {
      type = types.path;
      default = "/var/lib/microvms";
      description = "The directory of all VMs. Each has a directory in it, with its volumes.";
    };

    autostart = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = ''
        The VMs that start with the host: those in `microvm.vms`, unless their `autostart` is false,
        and others that `microvm -c` created.
      '';
    };
  };
}
