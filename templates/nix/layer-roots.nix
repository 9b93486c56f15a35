# SPDX-License-Identifier: MIT
# The layers of a NixOS configuration, for layers.nix. They lack the configuration itself: files of
# /etc, units, scripts. Only a change of `base` makes several layers again.
config:

let
  inherit (builtins) filter isString;
  kernel = config.boot.kernel.enable or true && config.boot ? kernelPackages;
  etc = config.environment.etc or { };
  wrappers = config.systemd.services.suid-sgid-wrappers.script or "";
  optional = condition: value: if condition then [ value ] else [ ];
  packages = filter (value: value != null && !isString value);
in
[
  {
    name = "kernel";
    roots = optional kernel config.boot.kernelPackages.kernel
      ++ optional (kernel && config.system ? modulesTree) config.system.modulesTree
      ++ packages [ (config.hardware.firmware or null) ];
  }
  {
    name = "base";
    above = [ ];
    roots = packages ([
      (config.systemd.package or null)
      (if config.nix.enable or true then config.nix.package or null else null)
      (config.users.defaultUserShell or null)
    ] ++ config.environment.shells or [ ]);
  }
  {
    name = "packages";
    above = [ "base" ];
    roots = config.environment.systemPackages or [ ];
  }
  {
    # what NixOS makes of packages rather than of the configuration: large, and rarely new
    name = "generated";
    above = [ "base" ];
    roots = optional (etc ? "udev/hwdb.bin") etc."udev/hwdb.bin".source;
    text = wrappers + (config.system.activationScripts.wrappers.text or "");
  }
]
