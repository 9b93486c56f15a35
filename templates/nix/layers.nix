# SPDX-License-Identifier: MIT
# Layers: caches of compressed store paths as derivations, for runner.nix. A VM whose configuration
# changes, and every other VM with the same layers, compresses only what no layer has.
#
#   layers = import ./layers.nix {
#     inherit (pkgs) bash coreutils;
#     inherit mvmbuild description; # as for runner.nix
#     layers = import ./layer-roots.nix nixos.config;
#   };
#   runner = import ./runner.nix { inherit layers description; ... };
#
# Each layer has the closures of its roots, without what the layers below it have. The image has the
# same bytes with any layers, or none. mvmbuild compares what it takes from a layer with its hashes.
{
  mvmbuild,
  bash,
  coreutils,
  # Lowest first: { name; roots ? [ ]; text ? ""; above ? all lower ones; }. The text stands for all
  # packages that it names. `above` names the layers whose contents are left out; a layer is made
  # again when one of these changes.
  layers,
  # of the VMs: the options of the store disk decide how a path is compressed
  description ? { },
  system ? builtins.currentSystem,
}:

let
  inherit (builtins) attrNames compareVersions concatLists concatStringsSep elem filter foldl'
    intersectAttrs isAttrs isBool isList map nixVersion replaceStrings toJSON toString;

  vm = removeAttrs description [ "microvm" ] // (description.microvm or { });
  disk = vm.storeDisk or { };
  isLinked = (vm.storeOnDisk or true) && elem (disk.engine or "linked") [ "linked" null ];

  quote = text: "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  settingsOf = prefix: value:
    if isAttrs value then
      concatLists (map (name: settingsOf "${prefix}.${name}" value.${name}) (attrNames value))
    else if value == null then [ ]
    else [ "--set ${quote "${prefix}=${
      if isBool value || isList value then toJSON value else toString value}"}" ];
  options = intersectAttrs
    { storeDir = 0; storeDiskType = 0; storeDiskErofsFlags = 0; storeDiskSquashfsFlags = 0; } vm
    // (if disk == { } then { } else { storeDisk = removeAttrs disk [ "outPath" "verity" ]; });
  settings = concatStringsSep " "
    (concatLists (map (name: settingsOf name options.${name}) (attrNames options)));

  common = {
    inherit system;
    builder = "${bash}/bin/bash";
    # They are large, and cheaper to make than to fetch.
    preferLocalBuild = true;
    allowSubstitutes = false;
  };

  textFile = name: text: derivation (common // {
    name = "mvm-layer-${name}-text";
    inherit text;
    passAsFile = [ "text" ];
    args = [ "-euc" "${coreutils}/bin/cp \"$textPath\" \"$out\"; :" ];
  });

  make = lower: { name, roots ? [ ], text ? "", above ? null }:
    let
      below = filter (layer: above == null || elem layer.layer above) lower;
      paths = map (root: "${root}") (filter (root: root != null) roots)
        ++ (if text == "" then [ ] else [ "${textFile name text}" ]);
      from = concatStringsSep " " (map (layer: "--cache-from ${layer}") below);
      layer = derivation (common // {
        name = "mvm-layer-${name}";
        __structuredAttrs = true;
        outputs = [ "out" ];
        # mvmbuild finds the closure in the attributes.
        exportReferencesGraph.closure = paths;
        inherit paths;
        args = [ "-euc" ''
          [ -r "''${NIX_ATTRS_SH_FILE-}" ] || NIX_ATTRS_SH_FILE=$NIX_BUILD_TOP/.attrs.sh
          [ -r "''${NIX_ATTRS_JSON_FILE-}" ] || export NIX_ATTRS_JSON_FILE=$NIX_BUILD_TOP/.attrs.json
          . "$NIX_ATTRS_SH_FILE"
          export TERM=dumb # as in runner.nix
          out=''${outputs[out]}
          ${coreutils}/bin/mkdir "$out"
          ${mvmbuild}/bin/mvmbuild cache pack --progress plain --cache "$out" ${from} ${settings} "''${paths[@]}"
          ${coreutils}/bin/rm -rf "$out/tmp" "$out/lock"
          : # bash must not execute rm in its own place: Nix kills a builder that closes its output
        '' ];
        # The names of its objects are no references; Nix before 2.18 takes them for such.
      } // (if compareVersions nixVersion "2.18" >= 0 then
        { unsafeDiscardReferences.out = true; } else { })) // { layer = name; };
    in if paths == [ ] then lower else lower ++ [ layer ];
in
if isLinked then foldl' make [ ] layers else [ ]
