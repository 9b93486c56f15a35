# SPDX-License-Identifier: MIT
# The package of mvmbuild: the one of the package set, or of the sources around this file. What
# `make install` has put elsewhere has no sources around it.
pkgs:
pkgs.mvmbuild or (
  if builtins.pathExists ../../package.nix then pkgs.callPackage ../../package.nix { }
  else throw ("the package set has no mvmbuild; add mvmbuild's overlay, or give the package in " +
    "microvm.mvmbuild.package (guest) and microvm.host.package (host)"))
