# SPDX-License-Identifier: MIT
# A NixOS module for a host of microVMs. A VM is declared in microvm.vms, or created with the
# command microvm. The units are those of templates/systemd; each has a drop-in with what only NixOS
# needs.
{ config, lib, pkgs, ... }:

let
  inherit (lib) concatMap concatMapAttrs concatMapStringsSep escapeShellArg escapeShellArgs
    filterAttrs foldl' genAttrs listToAttrs mapAttrs mapAttrsToList mkDefault mkForce mkIf mkMerge
    nameValuePair optional optionalAttrs optionals optionalString;
  inherit (config.microvm) host stateDir vms;

  user = "microvm";
  # Reserved for the VMs, because its members can create files in their directories.
  group = "microvm";

  setBooted = pkgs.writeScript "set-booted" (lib.replaceStrings
    [ "#!/bin/sh\n" ] [ "#!${pkgs.runtimeShell}\n" ]
    (builtins.readFile ../../host/set-booted.sh));

  ours = import ./units.nix {
    inherit stateDir user group setBooted;
    shell = pkgs.runtimeShell;
    inherit (pkgs) coreutils;
  };

  # The units of one VM, in the order of their start.
  parts = [
    "microvm-set-booted" "microvm-tap-interfaces" "microvm-macvtap-interfaces"
    "microvm-pci-devices" "microvm-virtiofsd" "microvm-disk" "microvm"
    "microvm-machine"
  ];

  guestOf = name: vm:
    if vm.flake != null then vm.flake.nixosConfigurations.${name}.config
    else if vm.evaluatedConfig != null then vm.evaluatedConfig.config
    else if vm.config != null then vm.config.config
    else throw "microvm.vms.${name} needs one of config, evaluatedConfig and flake";

  # A runner of microvm.nix reports its guest's readiness itself, too, but has no mark that the unit
  # knows.
  waits = { serviceConfig.ExecStart = [ "" "${stateDir}/%i/current/bin/microvm-run" ]; };

  # ---- for all VMs ----
  template = part: nameValuePair "${part}@" {
    # An instance says otherwise. A VM that was not declared runs on when the units change.
    restartIfChanged = false;
  };
  templates = listToAttrs (map template parts) // {
    "microvm@" = mkMerge [
      { restartIfChanged = false; }
      (mkIf (host.startupTimeout != 150) {
        serviceConfig.TimeoutStartSec = "${toString host.startupTimeout}s";
      })
      (mkIf host.useNotifySockets waits)
    ];
  };

  # ---- for a declared VM ----
  # The directory and its links belong to root, as set-booted requires. A directory of microvm.nix,
  # which belongs to the VMs' user, becomes root's before anything in it is trusted.
  install = name: vm:
    let
      guest = guestOf name vm;
      directory = "${stateDir}/${name}";
      flake = if vm.updateFlake != null then vm.updateFlake else toString vm.flake;
      roots = "/nix/var/nix/gcroots/microvm";
    in
    {
      description = "Install MicroVM '${name}'";
      before = map (part: "${part}@${name}.service") parts;
      partOf = [ "microvm@${name}.service" ];
      wantedBy = [ "microvms.target" ];
      # With updateFlake, the command microvm updates it.
      unitConfig.ConditionPathExists =
        mkIf (vm.flake != null && vm.updateFlake != null) "!${directory}";
      serviceConfig = {
        Type = "oneshot";
        SyslogIdentifier = "install-microvm-${name}";
        UMask = "0022";
      };
      script = ''
        directory=${escapeShellArg directory}
        if [ -L "$directory" ]; then
          echo "$directory is a symbolic link, not a directory" >&2
          exit 1
        fi
        mkdir -p "$directory"
        chown root:${group} "$directory"
        chmod 1775 "$directory"
        cd "$directory"

        # Another user's directory of that name would take the link in.
        replace() { # TARGET NAME
          [ -L "$2" ] || rm -rf "$2"
          ln -sfnT "$1" "$2"
          chown -h root:root "$2"
        }
        replace ${guest.microvm.declaredRunner} current
      '' + (if vm.flake == null then ''
        replace ${guest.system.build.toplevel} toplevel
        rm -rf flake
      '' else ''
        rm -rf toplevel flake
        printf %s ${escapeShellArg flake} >flake
      '') + ''

        # What a VM runs from is kept until it has stopped.
        mkdir -p ${roots}
        for link in current booted; do
          root=${roots}/$([ $link = current ] || echo booted-)${escapeShellArg name}
          ln -sfnT "$directory/$link" "$root"
        done
      '';
    };

  # A drop-in for each unit of the VM. It hides the drop-in for all VMs, because NixOS names both
  # overrides.conf, and systemd reads the most specific file of a name. So it has that one's
  # settings, too.
  instance = name: vm: part: nameValuePair "${part}@${name}" (mkMerge [
    {
      overrideStrategy = "asDropin";
      path = mkForce [ ];
      environment = mapAttrs (_: mkDefault) config.systemd.services."${part}@".environment;
      unitConfig = mapAttrs (_: mkDefault) config.systemd.services."${part}@".unitConfig;
      serviceConfig = mapAttrs (_: mkDefault) config.systemd.services."${part}@".serviceConfig;
    }
    { serviceConfig.X-RestartIfChanged = [ "" vm.restartIfChanged ]; }
    (mkIf (part == "microvm") (
      let runner = (guestOf name vm).microvm.declaredRunner;
      in mkMerge [
        { restartTriggers = [ (guestOf name vm).system.build.toplevel runner ]; }
        (mkIf (runner.supportsNotifySocket or false) waits)
        (mkIf (runner.registerWithMachined or false) {
          wants = [ "systemd-machined.service" ];
          after = [ "systemd-machined.service" ];
        })
      ]
    ))
  ]);

  declared = name: vm: {
    "install-microvm-${name}" = install name vm;
  } // listToAttrs (map (instance name vm) parts);

  sharedDirectory = share: optionalAttrs (share.source != "/nix/store") {
    # ":" leaves a directory that exists as it is.
    ${share.source}.d = {
      user = ":${user}";
      group = ":${group}";
      mode = ":0775";
    };
  };
  absolute = share: lib.hasPrefix "/" share.source;
  sharesOf = name: vm: lib.filter absolute (guestOf name vm).microvm.shares;
in
{
  imports = [ ./options.nix ];

  config = mkIf host.enable {
    assertions = concatMap (name: [
      {
        assertion = vms.${name}.config != null -> vms.${name}.flake == null;
        message = "microvm.vms.${name} has both config and flake; leave one of them out";
      }
      {
        assertion = vms.${name}.config != null -> vms.${name}.updateFlake == null;
        message = "microvm.vms.${name} has both config and updateFlake; leave one of them out";
      }
    ]) (lib.attrNames vms);

    environment.systemPackages = [ host.package ] ++
      optional (toString stateDir != "/var/lib/microvms") (lib.hiPrio
        (pkgs.writeShellScriptBin "microvm" ''
          exec ${host.package}/bin/microvm --state-dir ${escapeShellArg (toString stateDir)} "$@"
        ''));

    boot.kernelModules = ours.kernelModules;

    # For devices that the group kvm may use.
    users.users.${user} = {
      isSystemUser = true;
      inherit group;
      extraGroups = [ "kvm" ];
      description = "MicroVMs";
    };
    users.groups.${group} = { };

    # microvm@.service has the same limit; this is for `microvm -r`.
    security.pam.loginLimits = map (type: {
      domain = user;
      item = "memlock";
      inherit type;
      value = "infinity";
    }) [ "hard" "soft" ];

    systemd.packages = mapAttrsToList
      (name: text: pkgs.writeTextDir "lib/systemd/system/${name}" text) ours.units;
    systemd.services = mkMerge ([ templates ] ++ mapAttrsToList declared vms);

    systemd.targets.microvms = {
      wantedBy = [ "multi-user.target" ];
      wants = map (name: "microvm@${name}.service") config.microvm.autostart;
    };
    microvm.autostart = lib.attrNames (filterAttrs (name: vm: vm.autostart) vms);

    systemd.tmpfiles.rules = ours.tmpfiles;
    systemd.tmpfiles.settings."10-microvm" = mkMerge
      (concatMap (name: map sharedDirectory (sharesOf name vms.${name})) (lib.attrNames vms));

    # For interfaces of type bridge. libvirtd has a wrapper of its own.
    security.wrappers.qemu-bridge-helper = mkIf (!config.virtualisation.libvirtd.enable) {
      source = "${pkgs.qemu-utils or pkgs.qemu}/libexec/qemu-bridge-helper";
      owner = "root";
      group = "root";
      capabilities = "cap_net_admin+ep";
    };
    environment.etc."qemu/bridge.conf".text = mkDefault ''
      allow all
    '';

    hardware.ksm.enable = mkDefault true;
  };
}
