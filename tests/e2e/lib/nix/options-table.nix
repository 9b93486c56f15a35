# SPDX-License-Identifier: MIT
# The names and defaults that templates/nix/options.nix declares, for e2e/nix/nixos_options_test.sh.
# Not a module system: the few functions that the file uses are replaced.
let
  inherit (builtins) attrNames concatMap isAttrs toJSON;
  type = { };
  lib = {
    mkOption = option: { isOption = true; } // option;
    types = {
      inherit (lib.types.ints) unsigned;
      attrsOf = element: element;
      either = first: second: first;
      enum = values: type;
      listOf = element: element;
      nullOr = type: type;
      submodule = module: module;
      strMatching = pattern: type;
      bool = type;
      float = type;
      int = type;
      lines = type;
      package = type;
      path = type;
      str = type;
      ints = { between = least: most: type; unsigned = type; };
    };
  };

  isEmpty = value: value == null || value == [ ] || value == { };
  row = name: option: name +
    (if isEmpty (option.default or null) then "" else " ${toJSON option.default}");
  rows = prefix: options: concatMap
    (name:
      let
        option = options.${name};
        inner = option.type.options or { };
      in
      if option.isOption or false
      then [ (row (prefix + name) option) ] ++ rows "${prefix}${name}." inner
      else rows "${prefix}${name}." option)
    (attrNames options);
in
rows "" (import ../../../../templates/nix/options.nix { inherit lib; }).options.microvm
