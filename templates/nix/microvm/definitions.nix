# SPDX-License-Identifier: MIT
# What the configuration defines for an option, without the modules of NixOS and these here.
{ lib, modulesPath }:
option:
let
  isOutside = definition: !lib.any
    (directory: lib.hasPrefix "${toString directory}/" (toString definition.file))
    [ modulesPath ./. ];
in
map (definition: definition.value)
  (lib.filter isOutside (option.definitionsWithLocations or [ ]))
