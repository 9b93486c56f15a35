# SPDX-License-Identifier: MIT
# The systemd units of a host, from the files that `make install-systemd` installs, with other
# paths. Needs no nixpkgs.
{
  stateDir,
  user,
  group,
  setBooted, # the program
  shell,
  coreutils,
}:

let
  inherit (builtins) attrNames filter isString listToAttrs match readDir readFile replaceStrings
    split stringLength substring;

  directory = ../../systemd;
  suffix = ".in";
  unsuffixed = name: substring 0 (stringLength name - stringLength suffix) name;

  fill = replaceStrings
    [ "@statedir@" "@user@" "@group@" "@libexecdir@/set-booted" "/bin/sh " "/bin/rm " ]
    [ (toString stateDir) user group (toString setBooted) "${shell} " "${coreutils}/bin/rm " ];
  filled = name: fill (readFile (directory + "/${name}"));

  isUnit = name: match ".*\\.(service|target)\\.in" name != null;
  lines = text: filter (line: isString line && line != "" && match "#.*" line == null)
    (split "\n" text);
in
{
  units = listToAttrs (map (name: {
    name = unsuffixed name;
    value = filled name;
  }) (filter isUnit (attrNames (readDir directory))));

  tmpfiles = lines (filled "mvmbuild.tmpfiles.in");
  kernelModules = lines (filled "mvmbuild.modules.in");
}
