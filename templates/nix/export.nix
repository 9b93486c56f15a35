# SPDX-License-Identifier: MIT
# Exports the description in an existing configuration of microvm.nix: toplevel, and the part of
# config.microvm that can be written as JSON. Needs no nixpkgs.
#
#   nix eval --json --impure --expr 'import ./export.nix {
#     config = (builtins.getFlake "…").nixosConfigurations.web1.config;
#   }' >web1.json
#   mvmbuild web1.json
#
# (Or pass the result to runner.nix, which makes Nix build the paths.) Left out are options that
# microvm.nix generates (runners, disks), options that only control its evaluation, functions,
# package sets, and values that cannot be evaluated. A package is written as its path.
{
  config,
  overrides ? { }, # attributes laid over the description, one level deep
}:

let
  inherit (builtins) attrNames filter isAttrs isBool isFloat isFunction isInt isList isPath
    isString listToAttrs map removeAttrs toString tryEval;

  generated = [
    "runner" "declaredRunner" "bootDisk" "storeDisk" "storeDiskPath" "kernelPath"
    "balloonMem" "guest" "optimize" "vmHostPackages" "prettyProcnamesPackage"
  ];

  isPackage = value: isAttrs value && (value ? outPath || (value.type or null) == "derivation");
  # Recognizes nixpkgs and the like: an attribute set to choose packages from, not a value.
  isPackageSet = value: isAttrs value &&
    (value ? callPackage || value ? stdenv || value ? recurseForDerivations);

  nothing = [ ];
  one = value: [ value ];

  # A list of zero or one values, which distinguishes "left out" from null.
  pick = value:
    let tried = tryEval (builtins.seq value value);
    in if !tried.success then nothing else pickEvaluated tried.value;

  pickEvaluated = value:
    if value == null || isBool value || isInt value || isFloat value || isString value
    then one value
    else if isPath value then one (toString value) # not copied to the store
    else if isPackage value then pickPackage value
    else if isFunction value || isPackageSet value then nothing
    else if isList value then one (builtins.concatMap pick value)
    else if isAttrs value then one (pickAttributes value)
    else nothing;

  pickPackage = package:
    let path = tryEval "${package}";
    in if path.success then one path.value else nothing;

  pickAttributes = set: listToAttrs (builtins.concatMap
    (name: map (value: { inherit name value; }) (pick set.${name}))
    (filter (name: builtins.substring 0 1 name != "_") (attrNames set)));

  microvm = removeAttrs config.microvm generated;

  # Drops the default readOnly = false, which cannot be distinguished from an explicit one:
  # mvmbuild's default shares the host's store read-only.
  exportShare = share: if share.readOnly or false then share else removeAttrs share [ "readOnly" ];
  exported = pickAttributes microvm;

  # regInfo= names a closureInfo that microvm.nix adds to its disk, beside the closure. Our stage 1
  # brings a database instead; for another initrd the closureInfo is packed.
  startsWith = prefix: text: isString text &&
    builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  isRegistration = startsWith "regInfo=";
  registrations = filter isRegistration (exported.kernelParams or [ ]);
  directoryOf = parameter: dirOf (builtins.substring 8 (builtins.stringLength parameter) parameter);
  otherInitrd = (exported // overrides).initrd or
    (exported // overrides).initrdPath or null != null;
  parameters =
    if registrations == [ ] then { }
    else if otherInitrd
    then { storePaths = exported.storePaths or [ ] ++ map directoryOf registrations; }
    else { kernelParams = filter (parameter: !isRegistration parameter) exported.kernelParams; };
  shares = if exported ? shares then { shares = map exportShare exported.shares; } else { };
in
{
  hostName = config.networking.hostName;
  toplevel = "${config.system.build.toplevel}";
} // exported // shares // parameters // overrides
