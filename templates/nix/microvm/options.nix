# SPDX-License-Identifier: MIT
# nixosModules.microvm-options: all options and their defaults, and nothing that changes a system.
# ../options.nix has mvmbuild's own, as printed from its table; here are those that exist in Nix
# only.
{ config, lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkOption types;
  cfg = config.microvm;
in
{
  imports = [
    ../options.nix
    ./defaults.nix
    (lib.mkRemovedOptionModule [ "microvm" "balloonMem" ]
      "Set microvm.balloon = true, and microvm.initialBalloonMem for its size at the start.")
  ];

  options.microvm = {
    guest.enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether the system is set up as a microVM's guest. Without that, only the options and the
        runners are there.
      '';
    };

    optimize.enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether to leave out what few microVMs need: documentation, scripts for switching the system
        where its store cannot change, waiting for the network. It also chooses systemd in the
        initrd and systemd-networkd.
      '';
    };

    vmHostPackages = mkOption {
      type = types.pkgs;
      default = if cfg.cpu == null then pkgs else pkgs.buildPackages;
      defaultText = literalExpression
        "if config.microvm.cpu == null then pkgs else pkgs.buildPackages";
      example = literalExpression "nixpkgs.legacyPackages.aarch64-linux";
      description = ''
        The packages of the host that runs the VM: the hypervisor and the programs that the runner's
        scripts use.
      '';
    };

    mvmbuild = {
      package = mkOption {
        type = types.package;
        default =
          let
            package = import ../package.nix pkgs.buildPackages;
            builder = pkgs.stdenv.buildPlatform or pkgs.stdenv.hostPlatform;
            isForeign = packages: packages.stdenv.hostPlatform.isLinux &&
              packages.stdenv.hostPlatform.system != builder.system;
          in
          if (isForeign pkgs || isForeign cfg.vmHostPackages) && package ? override
            && (package.override.__functionArgs or { }) ? withForeign
          then package.override { withForeign = true; }
          else package;
        defaultText = literalExpression "pkgs.buildPackages.mvmbuild";
        description = ''
          The compiler that makes the runners. For a guest or a host of another architecture, the
          default is built with the programs for it.
        '';
      };

      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = ''
          Further arguments for mvmbuild.
        '';
      };

      layers = mkOption {
        type = types.listOf types.attrs;
        default = import ../layer-roots.nix config;
        defaultText = "the kernel; systemd, Nix and shells; environment.systemPackages; wrappers";
        example = literalExpression ''[ { name = "postgresql"; roots = [ pkgs.postgresql ]; } ]'';
        description = ''
          What is compressed once and shared by all VMs of which it is a part, each as a derivation,
          lowest first: `name`, the packages `roots` or a `text` that names them, and in `above` the
          names of the layers whose contents are left out (default: all lower ones). With `[ ]`, the
          image's derivation compresses everything.
        '';
      };

      initrd = mkOption {
        type = types.enum [ "own" "guest" ];
        description = ''
          The initrd that the VM boots with: mvmbuild's own, which is small and knows the disks, or
          the one of the guest's configuration. The default is the guest's if mvmbuild's own would
          lose something: if file systems other than the VM's volumes and shares are needed for
          boot, if the initrd unlocks disks, has a network, or runs commands or services of the
          configuration, or if microvm.initrdPath is set.
        '';
      };
    };

    runner = mkOption {
      type = types.lazyAttrsOf types.package;
      description = ''
        The runner for each hypervisor.
      '';
    };

    declaredRunner = mkOption {
      type = types.package;
      default = cfg.runner.${cfg.hypervisor};
      defaultText = literalExpression "config.microvm.runner.\${config.microvm.hypervisor}";
      description = ''
        The runner for the hypervisor that the configuration chooses.
      '';
    };

    bootDisk = mkOption {
      type = types.path;
      internal = true;
      description = ''
        Not made: every hypervisor loads the kernel and the initrd itself.
      '';
    };

    storeDisk.outPath = mkOption {
      type = types.path;
      readOnly = true;
      internal = true;
      description = ''
        The image of the store disk.
      '';
    };

    deploy = {
      installOnHost = mkOption {
        type = types.package;
        description = ''
          A program that copies the VM's derivations to a host, builds the runner there and installs
          it: `microvm-install-on-host root@HOST [--use-remote-sudo]`.
        '';
      };

      sshSwitch = mkOption {
        type = types.nullOr types.package;
        default = null;
        description = ''
          A program that switches the running VM to its new system without a restart:
          `microvm-switch root@VM [--use-remote-sudo] [switch]`. It exists if the guest has an SSH
          server and the host's store.
        '';
      };

      rebuild = mkOption {
        type = types.nullOr types.package;
        default = null;
        description = ''
          Both programs in one: `microvm-rebuild root@HOST root@VM [--use-remote-sudo] switch`. A
          VM that cannot switch is restarted.
        '';
      };
    };
  };

  config.microvm.storeDisk.outPath =
    "${cfg.declaredRunner}/share/microvm/stage1.${cfg.storeDiskType}";
}
