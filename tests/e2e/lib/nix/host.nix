# SPDX-License-Identifier: MIT
# NixOS hosts with templates/nix/host, evaluated and not built, for e2e/nix/nixos_host_test.sh, and
# what the flake has.
{
  nixpkgs,
  reference ? null, # sources of microvm.nix
}:

let
  # Functions and options that microvm.nix uses and that only a newer nixpkgs has.
  lib = (import (nixpkgs + "/lib")).extend (self: super: {
    replaceString = super.replaceString or
      (from: to: builtins.replaceStrings [ from ] [ to ]);
  });
  newer = {
    options.boot.initrd.systemd = absent known.boot.initrd.systemd;
    options.systemd = absent known.systemd;
  };
  absent = set: lib.optionalAttrs (!(set ? tpm2)) { tpm2.enable = lib.mkOption { }; };
  known = (system [ ]).options;
  pkgs = import nixpkgs {
    system = "x86_64-linux";
    overlays = [
      (final: previous: {
        mvmbuild = previous.hello;
        # They are built in Haskell, and a small copy of nixpkgs may lack it.
        shellcheck = previous.hello;
        shellcheck-minimal = previous.hello // { compiler.bootstrapAvailable = false; };
      })
    ];
  };
  system = modules: import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit lib;
    system = null;
    modules = [
      {
        system.stateVersion = lib.trivial.release;
        nixpkgs.pkgs = pkgs;
        boot.loader.grub.enable = false;
        fileSystems."/" = { device = "tmpfs"; fsType = "tmpfs"; };
      }
    ] ++ modules;
  };
  hostOf = module: system [ ../../../../templates/nix/host module ];

  # A VM of another evaluation, with a runner that is microvm.nix's.
  foreign = readiness: system [
    {
      options.microvm = {
        shares = lib.mkOption { };
        declaredRunner = lib.mkOption { };
      };
      config.microvm = {
        shares = [
          { source = "/srv/data"; } { source = "/nix/store"; } { source = "relative"; }
        ];
        declaredRunner = pkgs.hello // {
          supportsNotifySocket = readiness;
          registerWithMachined = readiness;
        };
      };
    }
  ];
  flakeOf = name: { outPath = "/srv/flake"; nixosConfigurations.${name} = foreign false; };

  host = (hostOf {
    microvm.vms = {
      declared.config = {
        system.stateVersion = lib.trivial.release;
        microvm.mem = 300;
      };
      evaluated = {
        evaluatedConfig = foreign true;
        autostart = false;
      };
      flake.flake = flakeOf "flake";
      updated = {
        flake = flakeOf "updated";
        updateFlake = "git+file:///srv/it's";
      };
    };
    microvm.autostart = [ "by-hand" ];
  }).config;

  other = (hostOf {
    microvm = {
      stateDir = "/srv/vms";
      host.startupTimeout = 300;
      host.useNotifySockets = true;
      vms.one.evaluatedConfig = foreign false;
    };
    # A host may change the unit of all VMs.
    systemd.services."microvm@".serviceConfig.Nice = 5;
  }).config;

  messages = module:
    map (one: one.message) (lib.filter (one: !one.assertion) (hostOf module).config.assertions);

  # ---- options ----
  text = value: builtins.unsafeDiscardStringContext (lib.generators.toPretty { } value);
  describe = option: {
    type = option.type.description or option.type.name;
    default = if option ? defaultText then "computed" else text (option.default or "none");
  };
  tree = set: lib.concatMapAttrs
    (name: value:
      if lib.isOption value then
        { ${name} = describe value; } // lib.mapAttrs'
          (inner: lib.nameValuePair "${name}.*.${inner}")
          (tree (removeAttrs (value.type.getSubOptions [ ]) [ "_module" ]))
      else lib.mapAttrs' (inner: lib.nameValuePair "${name}.${inner}") (tree value))
    set;

  ours = import ../../../../default.nix { inherit pkgs; };
in
{
  units = lib.mapAttrs (name: unit: unit.text) (lib.filterAttrs
    (name: unit: lib.hasInfix "microvm" name) host.systemd.units);
  scripts = lib.mapAttrs (name: service: service.script) (lib.filterAttrs
    (name: service: lib.hasPrefix "install-microvm" name) host.systemd.services);
  otherUnits = lib.mapAttrs (name: unit: unit.text) (lib.filterAttrs
    (name: unit: lib.hasInfix "microvm" name) other.systemd.units);
  shares = host.systemd.tmpfiles.settings."10-microvm";
  inherit (host.systemd.tmpfiles) rules;
  modules = host.boot.kernelModules;
  user = { inherit (host.users.users.microvm) group extraGroups isSystemUser; };
  helper = { inherit (host.security.wrappers.qemu-bridge-helper) owner capabilities; };
  bridges = host.environment.etc."qemu/bridge.conf".text;
  samePages = host.hardware.ksm.enable;
  failed = {
    good = messages { microvm.vms.a.evaluatedConfig = foreign false; };
    config-and-flake = messages {
      microvm.vms.a = { config = { }; flake = flakeOf "a"; };
    };
    config-and-update = messages {
      microvm.vms.a = { config = { }; updateFlake = "path:/srv"; };
    };
  };
  # The derivations of a whole system.
  toplevels = map (config: config.system.build.toplevel.drvPath) [ host other ];

  options = {
    ours = tree (hostOf { }).options.microvm;
    reference = tree (system [ (reference + "/nixos-modules/host") ]).options.microvm;
  };

  flake = {
    attributes = lib.attrNames ours;
    packages = lib.mapAttrs (name: package: package.drvPath) {
      inherit (ours.packages) default qemu-example firecracker-example-with-tap;
    };
    names = lib.attrNames ours.packages;
    checks = lib.attrNames ours.checks;
    update = ours.checks.updates.drvPath;
    buildRunner = (ours.lib.buildRunner {
      inherit pkgs;
      inherit (ours.nixosConfigurations.qemu-example.config.system.build) toplevel;
      microvmConfig = ours.nixosConfigurations.qemu-example.config.microvm // { hostName = "b"; };
    }).drvPath;
  };
  runnersOnly = (system [
    newer (reference + "/nixos-modules/microvm") ../../../../templates/nix/runners-only.nix
    { networking.hostName = "kept"; }
  ]).config.microvm.declaredRunner.drvPath;
}
