# SPDX-License-Identifier: MIT
# Makes a microVM's runner as a Nix package. Needs no nixpkgs, only known.nix beside it; with
# nixpkgs:
#
#   import ./runner.nix {
#     inherit (pkgs) bash coreutils gnutar gzip;
#     inherit mvmbuild; # a package with bin/mvmbuild
#     # The units' PATH lacks these: taps and macvtaps need ip, PCI devices modprobe.
#     programs = [ pkgs.iproute2 pkgs.kmod ];
#     description = {
#       hostName = "web1";
#       toplevel = nixos.config.system.build.toplevel;
#       qemu.package = pkgs.qemu_kvm;
#     };
#   }
#
# For an existing configuration of microvm.nix: description = (import ./export.nix { inherit config;
# }).
#
# There are two derivations. `image` is the output of mvmbuild. It names paths of the guest's system
# (init=, the list in manifest.json), which are packed into its disk and are not needed on the host.
# So its references are dropped if Nix can do that (unsafeDiscardReferences, since 2.18 without an
# experimental feature; with older versions, copying a runner copies the guest's system too). The
# result links to the image and names what the host does need: kernel, hypervisor, the scripts'
# programs. mvmbuild writes their list into the image.
{
  mvmbuild,
  description, # as in YAML, see the option reference; a package may stand for its path
  system ? builtins.currentSystem,
  bash, # a package with bin/bash, for the builder and for the runner's scripts
  coreutils,
  gnutar ? null, # tar and gzip unpack volumes that the runner creates
  gzip ? null,
  # further packages that the runner's scripts use: iproute2, kmod, mkfs of other file systems
  programs ? [ ],
  # The system of the host, if it is another one than that which builds. Then these are packages of
  # that system: { bash, coreutils, gnutar, gzip, mvmbuild }, and so are `programs`. Only a runner
  # with storeDisk.link: host uses this mvmbuild; without it, the host needs one in its PATH.
  hostSystem ? system,
  host ? { inherit bash coreutils gnutar gzip; },
  layers ? [ ], # caches that layers.nix makes
  extraArgs ? [ ], # for mvmbuild
  extra ? { }, # further attributes of the image's derivation
}:

let
  inherit (builtins) any attrNames compareVersions concatStringsSep elem filter hasContext
    hashString isAttrs isList map mapAttrs match nixVersion removeAttrs storePath substring toJSON
    toString;

  # Packages become their paths, which keep their context.
  plain = value:
    if isAttrs value then
      (if value ? outPath then "${value}" else mapAttrs (name: plain) value)
    else if isList value then map plain value
    else if builtins.isPath value then "${value}"
    else value;

  given = plain ((removeAttrs description [ "microvm" ]) // (description.microvm or { }));
  hypervisor = given.hypervisor or "qemu";

  # Packages of parts that this VM does not have do not become inputs: a configuration of
  # microvm.nix has a package for each hypervisor.
  unused = filter (name: name != hypervisor) (import ./known.nix).hypervisors
    ++ (if hypervisor == "cloud-hypervisor" && given.graphics.enable or false then [ ]
      else [ "graphics" ])
    ++ (if any (share: share.proto or "9p" == "virtiofs") (given.shares or [ ]) then [ ]
      else [ "virtiofsd" ]);
  withoutPackages = set:
    removeAttrs set (filter (name: hasContext (toJSON set.${name})) (attrNames set));
  # --hypervisor replaces the description's.
  isReplaced = any (argument: match "--hypervisor.*" (toString argument) != null) extraArgs;
  used = if isReplaced then given else mapAttrs
    (name: value: if isAttrs value && elem name unused then withoutPackages value else value)
    (removeAttrs given [ "vmHostPackages" ]);

  # The host links the store disk, with a mvmbuild of its own system.
  linksOnHost = (given.storeDisk.link or "build") == "host";
  linker = host.mvmbuild or (if hostSystem == system then mvmbuild else null);

  vm = {
    hostShell = "${host.bash}/bin/bash";
    hostPath = map (package: "${package}/bin") (filter (package: package != null)
      ([ host.coreutils (host.gnutar or null) (host.gzip or null) ] ++ programs
        ++ (if linksOnHost then [ linker ] else [ ])));
  } // (if hostSystem == system then { } else { inherit hostSystem; }) // used;

  storeOnDisk = vm.storeOnDisk or true;
  canDiscard = storeOnDisk && compareVersions nixVersion "2.18" >= 0;
  # A path that is plain text, without context, is not an input yet.
  input = path: if hasContext path then path else storePath path;
  closureRoots = map input ([ vm.toplevel ] ++ (vm.storePaths or [ ]));
  name = "microvm-${hypervisor}-${vm.hostName}";

  common = {
    inherit system;
    builder = "${bash}/bin/bash";
    # They are large, and cheaper to make than to fetch.
    preferLocalBuild = true;
    allowSubstitutes = false;
    __structuredAttrs = true;
    outputs = [ "out" ];
  };

  # Nix before 2.4 sets no variables; some later versions set one to a path outside of the sandbox.
  attributes = ''
    [ -r "''${NIX_ATTRS_SH_FILE-}" ] || NIX_ATTRS_SH_FILE=$NIX_BUILD_TOP/.attrs.sh
    [ -r "''${NIX_ATTRS_JSON_FILE-}" ] || export NIX_ATTRS_JSON_FILE=$NIX_BUILD_TOP/.attrs.json
    . "$NIX_ATTRS_SH_FILE"
    export TERM=dumb # Nix's log comes from a terminal, and must not have a bar that moves
  '';

  image = derivation (common // {
    name = "${name}-image";
    # mvmbuild finds the closure in the attributes.
    exportReferencesGraph.closure = closureRoots;
    description = toJSON vm;
    args = [ "-euc" ''
      ${attributes}
      printf '%s\n' "$description" >description.json
      ${mvmbuild}/bin/mvmbuild --no-cache --progress plain ${concatStringsSep " " (map shellQuote arguments)} description.json -o "''${outputs[out]}" >/dev/null
    '' ];
  } // (if canDiscard then { unsafeDiscardReferences.out = true; } else { }) // extra);

  arguments = builtins.concatMap (layer: [ "--cache-from" "${layer}" ])
    (if linksOnHost then [ ] else layers) ++ extraArgs;
  shellQuote = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";

  runner = derivation (common // {
    inherit name;
    # Nix scans the output for references to these: all paths that the list may name.
    inputs = closureRoots ++ [ (toJSON vm) ];
    args = [ "-euc" ''
      ${attributes}
      out=''${outputs[out]}
      export PATH=${coreutils}/bin
      mkdir -p "$out/nix-support"
      ln -s ${image}/bin ${image}/libexec ${image}/share "$out/"
      cp ${image}/share/microvm/host-store-paths "$out/nix-support/"
      : # keeps bash from executing cp in its own place: Nix kills the builder once it closes its output
    '' ];
  });

  # The id that microvm.nix and mvmbuild derive from the name.
  derivedId =
    let hash = hashString "sha256" "microvm.nix:${vm.hostName}";
    in concatStringsSep "-" [
      (substring 0 8 hash) (substring 8 4 hash) (substring 12 4 hash) (substring 16 4 hash)
      (substring 20 12 hash)
    ];

  # Attributes that microvm.nix's host module reads.
  passthru = {
    inherit hypervisor image layers;
    canShutdown = (vm.socket or "") != null;
    supportsNotifySocket = false;
    tapMultiQueue = (vm.vcpu or 1) > 1;
    registerWithMachined = vm.registerWithMachined or false;
    machineId = vm.machineId or derivedId;
    description = vm;
  };
in
runner // passthru // {
  inherit passthru;
  pname = name;
  meta = {
    description = "Runner of the microVM ${vm.hostName}";
    mainProgram = "microvm-run";
  };
}
