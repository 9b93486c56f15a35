# SPDX-License-Identifier: MIT
# The description that mvmbuild reads: the options of its table that the configuration gives, and
# what only Nix knows.
{ config, options, lib, pkgs, modulesPath, ... }:

let
  inherit (lib) filterAttrs optionalAttrs optionals;
  cfg = config.microvm;
  hypervisors = import ./hypervisors.nix;
  isOwn = cfg.mvmbuild.initrd == "own";

  table = (lib.evalModules { modules = [ ../options.nix ]; }).options.microvm;
  isGiven = option: option.isDefined && option.highestPrio < import ./priority.nix;

  # The options that are given, in the table's tree.
  given = declared: actual: lib.concatMapAttrs
    (name: inner:
      if lib.isOption inner
      then optionalAttrs (isGiven actual.${name}) { ${name} = actual.${name}.value; }
      else
        let values = given inner actual.${name};
        in optionalAttrs (values != { }) { ${name} = values; })
    declared;

  # mvmbuild shares the host's store read-only by default.
  share = share: filterAttrs (name: value: value != null && !(name == "readOnly" && !value)) share;
  element = lib.filterAttrsRecursive (name: value: value != null);
  # An existing volume needs no size, and microvm.nix demands one.
  volume = volume: removeAttrs (element volume) (lib.optional (volume.size == 0) "size");

  package = cfg.${cfg.hypervisor}.package;
  version = lib.getVersion package;
  isVersion = builtins.match "[0-9]+([.][0-9]+){0,3}" version != null;

  # nixpkgs' package tells whether QEMU was built with seccomp.
  lacksSeccomp = cfg.hypervisor == "qemu" &&
    !lib.elem "--enable-seccomp" (package.configureFlags or [ "--enable-seccomp" ]);

  needsVirtiofsd = cfg.hypervisor != "vfkit" &&
    lib.any (share: share.proto == "virtiofs") cfg.shares;
  needsGpu = cfg.graphics.enable && cfg.hypervisor == "cloud-hypervisor";

  # A registration for the guest's own stage 2; mvmbuild's initrd brings a finished database.
  registration = optionals (!isOwn && cfg.registerClosure && config.nix.enable)
    [ (pkgs.closureInfo { rootPaths = [ config.system.build.toplevel ]; }) ];

  # mvmbuild's initrd loads what it needs itself, and these. Newer NixOS also takes a set of names.
  namesOf = modules:
    if lib.isList modules then modules else lib.attrNames (filterAttrs (name: isOn: isOn) modules);
  modules = lib.concatMap namesOf
    (import ./definitions.nix { inherit lib modulesPath; } options.boot.initrd.kernelModules);

  # In microvm.nix, a configuration adds its lines to these scripts. lib.mkForce replaces them.
  hasType = type: lib.any (interface: interface.type == type) cfg.interfaces;
  ownScripts = optionals (hasType "tap") [ "tap-up" "tap-down" ]
    ++ optionals (hasType "macvtap") [ "macvtap-up" "macvtap-down" ]
    ++ optionals (lib.any (device: device.bus == "pci") cfg.devices) [ "pci-setup" ];
  isForced = name: lib.any
    (definition: definition.${name}._type or null == "override" &&
      definition.${name}.priority < lib.modules.defaultOverridePriority)
    options.microvm.binScripts.definitions;
  partOf = name:
    if isForced name then name
    else if lib.elem name ownScripts then "${name}.after"
    else if name == "virtiofsd-run" then "virtiofsd-run.before"
    else name;
  binScripts = lib.mapAttrs' (name: lib.nameValuePair (partOf name)) (values.binScripts or { });

  host = cfg.vmHostPackages;
  hostSystem = host.stdenv.hostPlatform.system;
  isForeign = hostSystem != pkgs.stdenv.buildPlatform.system &&
    lib.elem hostSystem [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];

  text = builtins.unsafeDiscardStringContext;
  values = given (removeAttrs table ([
    # below, or by another name
    "hostName" "toplevel" "kernelParams" "initrdPath" "storeDiskType" "shares" "volumes"
    "interfaces"
  ] ++ lib.remove cfg.hypervisor hypervisors.names)) options.microvm;
in
{
  hostShell = "${host.bash}/bin/bash";
  hostPath = map (package: "${lib.getBin package}/bin")
    (import ./programs.nix { inherit lib cfg; });
}
// optionalAttrs isForeign { inherit hostSystem; }
// values // {
  inherit (cfg) hostName hypervisor storeOnDisk;
  toplevel = cfg.toplevel;
  kernelParams = lib.filter (parameter: text parameter != "init=${text cfg.toplevel}/init")
    cfg.kernelParams
    ++ map (info: "regInfo=${info}/registration") registration;
  storePaths = cfg.storePaths ++ registration;
  storeDisk = (values.storeDisk or { }) // { type = cfg.storeDiskType; };
  volumes = map volume cfg.volumes;
  shares = map share cfg.shares;
  interfaces = map element cfg.interfaces;
  ${cfg.hypervisor} = { inherit package; } // optionalAttrs isVersion { inherit version; } //
    optionalAttrs lacksSeccomp { sandbox = false; } //
    (values.${cfg.hypervisor} or { });
}
// optionalAttrs (isOwn && modules != [ ]) {
  stage1 = (values.stage1 or { }) // { modules = lib.unique (cfg.stage1.modules ++ modules); };
}
// optionalAttrs (binScripts != { }) { inherit binScripts; }
// optionalAttrs (!cfg.registerClosure) { registerClosure = false; }
// optionalAttrs (!isOwn) { initrd = if cfg.initrd != null then cfg.initrd else cfg.initrdPath; }
// optionalAttrs needsVirtiofsd {
  virtiofsd = { inherit (cfg.virtiofsd) package; } // (values.virtiofsd or { });
}
// optionalAttrs (cfg.graphics.enable) {
  graphics = removeAttrs (values.graphics or { }) [ "crosvmPackage" ] //
    optionalAttrs needsGpu { inherit (cfg.graphics) crosvmPackage; };
}
