# SPDX-License-Identifier: MIT
# mvmbuild's checks that need only the values; the others are made when the runner is built.
{ config, lib, ... }:

let
  inherit (lib) concatMap filter hasInfix length mapAttrsToList optional optionals;
  cfg = config.microvm;
  name = "MicroVM ${cfg.hostName}";
  check = assertion: text: { inherit assertion; message = "${name}: ${text}"; };

  # No two elements of a list have the same value.
  distinct = what: valueOf: list: mapAttrsToList
    (value: equal: check (length equal == 1)
      "${toString (length equal)} ${what} \"${value}\"; each must be different")
    (builtins.groupBy valueOf list);

  virtiofs = filter (share: share.proto == "virtiofs") cfg.shares;
  mounted = filter (mount: mount.mountPoint != null) (cfg.volumes ++ cfg.shares);

  interface = { id, type, bridge, macvtap, ... }: [
    (check (type == "bridge" -> bridge != null)
      "interface ${id}: the type bridge needs `bridge`, the host's bridge")
    (check (bridge != null -> lib.elem type [ "bridge" "tap" ])
      "interface ${id}: only the types bridge and tap have a `bridge`, not ${type}")
    (check (type == "macvtap" -> macvtap.link != null && macvtap.mode != null)
      "interface ${id}: the type macvtap needs `macvtap.link` and `macvtap.mode`")
    (check (lib.stringLength id <= 15)
      "interface ${id}: its name has ${toString (lib.stringLength id)} characters; Linux allows 15")
  ];

  translates = lib.any (argument: hasInfix "--translate-uid" argument ||
    hasInfix "--translate-gid" argument);
  virtiofsShare = { tag, posixAcl, extraArgs, ... }:
    check (!(posixAcl && translates (cfg.virtiofsd.extraArgs ++ extraArgs)))
      "share ${tag}: --translate-uid and --translate-gid need posixAcl = false";

  volume = { image, autoCreate, size, fsType, mkfsExtraArgs, ... }: [
    (check (autoCreate -> size != null && size != 0)
      "volume ${image}: it is created at the first start, so it needs a `size`")
  ];
in
lib.mkIf cfg.guest.enable {
  assertions =
    distinct "volumes have the image" (volume: volume.image) cfg.volumes
    ++ distinct "interfaces have the id" (interface: interface.id) cfg.interfaces
    ++ distinct "shares have the tag" (share: share.tag) cfg.shares
    ++ distinct "shares have the socket" (share: toString share.socket) virtiofs
    ++ distinct "volumes and shares have the mountPoint" (mount: mount.mountPoint) mounted
    ++ concatMap interface cfg.interfaces
    ++ concatMap volume cfg.volumes
    ++ map virtiofsShare virtiofs
    ++ [
      (check
        (cfg.forwardPorts != [ ] -> cfg.hypervisor == "qemu" &&
          lib.any (interface: interface.type == "user") cfg.interfaces)
        "forwardPorts needs the hypervisor qemu and an interface of type user")
      (check (cfg.vsock.ssh.enable -> cfg.vsock.cid != null) "vsock.ssh.enable needs vsock.cid")
      (check (cfg.vsock.notify == true -> cfg.vsock.cid != null) "vsock.notify needs vsock.cid")
      (check (cfg.writableStoreOverlay != null ->
        !config.nix.optimise.automatic && !(config.nix.settings.auto-optimise-store or false))
        ("writableStoreOverlay needs nix.optimise.automatic and " +
          "nix.settings.auto-optimise-store to be false: they link files across the layers"))
      (check (!cfg.storeOnDisk -> lib.any
        (share: share.source == cfg.storeDir ||
          lib.hasPrefix (if share.source == "/" then "/" else "${share.source}/") cfg.storeDir)
        cfg.shares)
        "storeOnDisk = false needs a share of ${cfg.storeDir}")
      (check (cfg.mvmbuild.initrd == "guest" -> !cfg.storeDisk.verity)
        "storeDisk.verity needs mvmbuild's own initrd (microvm.mvmbuild.initrd = \"own\")")
    ]
    ++ optionals (cfg.hypervisor == "cloud-hypervisor") [
      (check
        (!lib.any (hasInfix "oem_strings") cfg.cloud-hypervisor.platformOEMStrings)
        "cloud-hypervisor.platformOEMStrings has the strings alone, without oem_strings=")
    ];

  warnings =
    optional (builtins.isInt cfg.mem && cfg.mem < 32)
      "${name}: ${toString cfg.mem} MiB of memory are hardly enough to boot."
    ++ optional config.nix.optimise.automatic
      ("${name}: nix.optimise.automatic has no use in a microVM: it opens many files on a shared "
        + "store and cannot change a store disk.");
}
