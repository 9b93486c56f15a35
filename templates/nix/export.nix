# SPDX-License-Identifier: MIT
# Exports the description in an existing configuration of microvm.nix: the toplevel, and the part of
# config.microvm that mvmbuild knows. Needs no nixpkgs, only known.nix beside it.
#
#   nix build --impure -o web1.json --expr 'import ./export.nix {
#     config = (builtins.getFlake (toString ./.)).nixosConfigurations.web1.config;
#     file = true;
#   }'
#   mvmbuild web1.json
#
# The link web1.json keeps everything that it names from Nix's garbage collection: the system, the
# kernel, the hypervisor. Without `file`, the result is the description itself: for runner.nix, or
# for `nix eval --json`, which builds nothing, so that mvmbuild does not find the system.
#
# A package is written as its path. Left out are:
# - what microvm.nix generates (runners, disks, deploy, the guest's own initrd) and what only
#   controls its evaluation;
# - the options and packages of parts that this VM does not have: other hypervisors, graphics,
#   virtiofsd;
# - the scripts of microvm.nix that mvmbuild has its own of, which fit its command lines;
# - what mvmbuild does not know, and functions, package sets and options that cannot be evaluated.
#   Each of these is reported.
{
  config,
  overrides ? { }, # attributes laid over the description, one level deep
  file ? false, # whether the result is a derivation that builds all paths, and writes the JSON
  system ? builtins.currentSystem, # of that derivation
  # What to do with the messages about what is left out: a function of the list and the description.
  report ? messages: description: builtins.foldl' (result: message: builtins.trace message result)
    description messages,
}:

let
  inherit (builtins) any attrNames concatMap concatStringsSep elem elemAt filter foldl' genList
    hashString head isAttrs isBool isFloat isFunction isInt isList isPath isString length
    listToAttrs map removeAttrs replaceStrings seq split stringLength substring tail toJSON
    toString tryEval;

  known = import ./known.nix;
  microvm = config.microvm or (throw
    "export.nix: config.microvm is missing; import microvm.nix's module into this configuration");
  hypervisor = overrides.hypervisor or microvm.hypervisor or "qemu";
  toplevel = "${config.system.build.toplevel}";

  # ---- what is left out without a message ----

  # microvm.nix generates these, or uses them for its evaluation, its own host or its own tests.
  generated = [
    "autostart" "balloonMem" "bootDisk" "declaredRunner" "deploy" "guest" "host" "kernelPath"
    "optimize" "prettyProcnamesPackage" "runner" "stateDir" "storeDiskPath" "testing"
    "virtiofsd-run" "vmHostPackages" "vms"
  ];
  # These have no default, and are defined only where they are needed.
  undefined = [
    "storeDisk" "storeDiskType" "interfaces.macvtap.link" "interfaces.macvtap.mode"
    "volumes.size" "volumes.mountPoint"
  ];

  has = set: name: set ? ${name};
  # Whether one of the elements of a list of sets has an attribute of this value.
  hasElement = list: name: value: any (element: element.${name} or null == value) list;
  graphics = microvm.graphics.enable or false;
  virtiofsd = hasElement (microvm.shares or [ ]) "proto" "virtiofs" && hypervisor != "vfkit";

  unused = filter (name: name != hypervisor) known.hypervisors
    ++ (if graphics then [ ] else [ "graphics" ])
    ++ (if virtiofsd then [ ] else [ "virtiofsd" ]);

  # ---- values ----

  # A walk's result: a list of zero or one values, which distinguishes "left out" from null, and
  # messages.
  value = value: { values = [ value ]; messages = [ ]; };
  nothing = { values = [ ]; messages = [ ]; };
  leftOut = where: why: {
    values = [ ];
    messages = [ "export.nix: microvm.${where} is left out: ${why}" ];
  };

  isPackage = value: isAttrs value && (value ? outPath || (value.type or null) == "derivation");
  # Recognizes nixpkgs and the like: an attribute set to choose packages from, not a value.
  isPackageSet = value: isAttrs value &&
    (value ? callPackage || value ? stdenv || value ? recurseForDerivations);

  # NAMES are those that are known within the value: a set as in known.nix, or true for any.
  # WHERE is the option's name with the positions in lists, OPTION without them.
  walk = names: where: option: given:
    let tried = tryEval (seq given given);
    in if tried.success then walkEvaluated names where option tried.value
    else if elem option undefined then nothing
    else leftOut where "it cannot be evaluated";

  walkEvaluated = names: where: option: given:
    if given == null || isBool given || isInt given || isFloat given then value given
    else if isFunction given then leftOut where "it is a function"
    else if isList given then walkList names where option given
    else if isAttrs names && (isString given || isPath given || isPackage given)
    # microvm.nix's storeDisk is the image that it makes.
    then (if option == "storeDisk" then nothing else leftOut where "mvmbuild expects a set here")
    else if isString given then value given
    else if isPath given then value (toString given) # not copied to the store
    else if isPackage given then walkPackage where given
    else if isAttrs names then walkOptions names where option given
    else if isPackageSet given then leftOut where "it is a set of packages"
    else if isAttrs given then walkAttributes where option given
    else leftOut where "it cannot be written as JSON";

  walkPackage = where: package:
    let path = tryEval "${package}";
    in if path.success then value path.value else leftOut where "the package cannot be evaluated";

  # An element that cannot be evaluated is an error: without it, this would be another VM.
  walkList = names: where: option: list:
    let
      results = genList
        (i: walkEvaluated names "${where}[${toString i}]" option (elemAt list i)) (length list);
    in {
      values = [ (concatMap (result: result.values) results) ];
      messages = concatMap (result: result.messages) results;
    };

  # The results of a set's attributes, as [ { name, result } ], make a set.
  together = results: {
    values = [ (listToAttrs (concatMap
      ({ name, result }: map (value: { inherit name value; }) result.values) results)) ];
    messages = concatMap ({ result, ... }: result.messages) results;
  };
  under = prefix: name: if prefix == "" then name else "${prefix}.${name}";
  isPublic = name: substring 0 1 name != "_"; # _module and the like

  walkAttributes = where: option: set: together (map
    (name: { inherit name; result = walk true (under where name) (under option name) set.${name}; })
    (filter isPublic (attrNames set)));

  # What is unknown is not evaluated: it need not be something that can be.
  walkOptions = names: where: option: set: together (map
    (name: {
      inherit name;
      result =
        if has names name
        then walk names.${name} (under where name) (under option name) set.${name}
        else leftOut (under where name) "mvmbuild has no such option";
    })
    (filter isPublic (attrNames set)));

  # ---- values that mean something else to mvmbuild ----

  isPrefix = prefix: text: isString text && substring 0 (stringLength prefix) text == prefix;

  # microvm.nix always names an initrd, by default the guest's own. Ours takes its place, unless
  # another one is wanted.
  guestInitrd = tryEval
    "${config.system.build.initialRamdisk or ""}/${config.system.boot.loader.initrdFile or ""}";
  withoutGuestInitrd = set:
    if !guestInitrd.success || set.initrdPath or null == guestInitrd.value
    then removeAttrs set [ "initrdPath" ] else set;

  # microvm.nix's default id, which the guest has in its /etc; mvmbuild derives the same one.
  derivedId =
    let hash = hashString "sha256" "microvm.nix:${config.networking.hostName}";
    in concatStringsSep "-" (map ({ from, length }: substring from length hash) [
      { from = 0; length = 8; } { from = 8; length = 4; } { from = 12; length = 4; }
      { from = 16; length = 4; } { from = 20; length = 12; }
    ]);
  withoutDerivedId = set:
    if set.machineId or null == derivedId then removeAttrs set [ "machineId" ] else set;

  # Defaults that cannot be distinguished from what somebody gave, and that differ from mvmbuild's:
  # readOnly = false, because mvmbuild shares the host's store read-only, and virtiofsd's group.
  withoutDefaults = set: set
    // (if set ? shares then { shares = map exportShare set.shares; } else { })
    // (if set ? volumes then { volumes = map exportVolume set.volumes; } else { })
    // (if set.virtiofsd.group or null == "kvm"
      then { virtiofsd = removeAttrs set.virtiofsd [ "group" ]; } else { });
  exportShare = share: if share.readOnly or false then share else removeAttrs share [ "readOnly" ];

  # microvm.nix demands a size of every volume, and an existing one is often given 0.
  exportVolume = volume:
    if volume.size or null == 0 && !(volume.autoCreate or true)
    then removeAttrs volume [ "size" ] else volume;

  # The flags of another type of store disk are of no use.
  withoutOtherFlags = set: removeAttrs set
    (if set.storeDiskType or null == "erofs" then [ "storeDiskSquashfsFlags" ]
      else if set.storeDiskType or null == "squashfs" then [ "storeDiskErofsFlags" ]
      else [ "storeDiskErofsFlags" "storeDiskSquashfsFlags" ]);

  # The GPU device of crosvm serves cloud-hypervisor.
  withoutCrosvm = set:
    if set ? graphics && hypervisor != "cloud-hypervisor"
    then set // { graphics = removeAttrs set.graphics [ "crosvmPackage" ]; } else set;

  # nixpkgs' package tells whether QEMU was built with seccomp.
  withoutSandbox = set:
    let flags = tryEval (microvm.qemu.package.configureFlags or [ "--enable-seccomp" ]);
    in if hypervisor == "qemu" && flags.success && !elem "--enable-seccomp" flags.value
      then set // { qemu = { sandbox = false; } // set.qemu or { }; } else set;

  # microvm.nix's scripts, some of which do not fit mvmbuild's command lines: a tap must be made
  # with the flags with which the hypervisor opens it.
  # What somebody added behind such a script runs behind mvmbuild's. microvm.nix's ends with what
  # `lastLine` matches; without this, all of it is somebody's own and replaces mvmbuild's.
  interfaces = type: filter (interface: interface.type == type) (microvm.interfaces or [ ]);
  lastId = type: let all = interfaces type;
    in if all == [ ] then "" else (elemAt all (length all - 1)).id;
  lastLine = {
    tap-up = "link set '${quoted (lastId "tap")}' up\n";
    tap-down = "link delete '${quoted (lastId "tap")}'\n";
    macvtap-up = "chown [^\n]*/class/net/${quoted (lastId "macvtap")}/ifindex[^\n]*\n";
    macvtap-down = "link delete '${quoted (lastId "macvtap")}'\n";
    pci-setup = "chown [^\n]*/dev/vfio/[^\n]*\n";
  };
  # An interface's name in a regular expression.
  quoted = replaceStrings [ "." ] [ "[.]" ];
  runByMvmbuild = [
    "microvm-balloon" "microvm-register" "microvm-run" "microvm-shutdown" "microvm-unregister"
  ];

  # microvm.nix's own virtiofsd-run is one line, which starts supervisord.
  supervisord = "exec [^\n]*supervisord[^\n]*";
  piecesOfVirtiofsd = split supervisord;
  isBlank = text: builtins.match "[ \n]*" text != null;

  # A script as [ { name, value } ].
  exportScript = text: name:
    if name != "virtiofsd-run" then exportOther text name
    else if length (piecesOfVirtiofsd text) == 1 || isBlank (head (piecesOfVirtiofsd text)) then [ ]
    else [ { name = "virtiofsd-run.before"; value = head (piecesOfVirtiofsd text); } ];
  exportOther = text: name:
    let
      # Texts before, between and after the matches, and lists of groups between those.
      pieces = split lastLine.${name} text;
      # pci-setup has the line once for each device, and nothing of somebody else between those.
      after =
        if name == "pci-setup" then elemAt pieces (length pieces - 1)
        else concatStringsSep "" (filter isString (tail pieces));
    in
      if elem name runByMvmbuild then [ ]
      else if !(lastLine ? ${name}) || length pieces == 1 then [ { inherit name; value = text; } ]
      else if isBlank after then [ ]
      else [ { name = "${name}.after"; value = after; } ];
  withoutScripts = set:
    let
      scripts = set.binScripts or { };
      binScripts = listToAttrs (concatMap (name: exportScript scripts.${name} name)
        (attrNames scripts));
    in removeAttrs set [ "binScripts" ]
      // (if binScripts == { } then { } else { inherit binScripts; });
  scriptMessages =
    let run = microvm.binScripts.virtiofsd-run or null;
    in if run == null || length (piecesOfVirtiofsd run) > 1 then [ ]
      else [ ("export.nix: microvm.binScripts.virtiofsd-run is left out: mvmbuild serves the "
        + "shares itself, and somebody's commands in that script are not run") ];

  # regInfo= names a closureInfo that microvm.nix adds to its disk, beside the closure. Our stage 1
  # brings a database instead; for another initrd the closureInfo is packed.
  isRegistration = isPrefix "regInfo=";
  isNone = parameter: !isRegistration parameter;
  directoryOf = parameter: dirOf (substring 8 (stringLength parameter) parameter);
  withRegistration = set:
    let
      registrations = filter isRegistration (set.kernelParams or [ ]);
      all = set // overrides;
      otherInitrd = all.initrd or all.initrdPath or null != null;
    in
      if registrations == [ ] then set
      else if otherInitrd
      then set // { storePaths = set.storePaths or [ ] ++ map directoryOf registrations; }
      else set // { kernelParams = filter isNone set.kernelParams; };

  # An option of microvm.nix until 2025; later, its value is an error.
  balloonMessages =
    let tried = tryEval (microvm.balloonMem or 0);
    in if tried.success && isInt tried.value && tried.value > 0
      then [ "export.nix: microvm.balloonMem is left out: use balloon and initialBalloonMem" ]
      else [ ];

  # ---- the description ----

  walked = walkOptions known.options "" "" (removeAttrs microvm (generated ++ unused));
  apply = set: change: change set;
  exported = foldl' apply (head walked.values) [
    withoutGuestInitrd withoutDerivedId withoutDefaults withoutOtherFlags withoutCrosvm
    withoutSandbox withoutScripts withRegistration
  ];
  description = {
    hostName = config.networking.hostName;
    inherit toplevel;
  } // exported // overrides;

  # The paths in the text are references, so Nix builds them first and keeps them.
  written = derivation {
    name = "microvm-${description.hostName}.json";
    inherit system;
    builder = "/bin/sh";
    args = [ "-c" "printf '%s\\n' \"$text\" >$out" ];
    text = toJSON description;
    preferLocalBuild = true;
    allowSubstitutes = false;
  };
in
report (walked.messages ++ scriptMessages ++ balloonMessages)
  (if file then written else description)
