# SPDX-License-Identifier: MIT
# Printed by `mvmbuild options --nix` from the table of options; do not edit.
{ lib, ... }:

let
  inherit (lib) mkOption;
  inherit (lib.types) attrsOf bool either enum float int lines listOf nullOr package path
    str strMatching submodule;
  inherit (lib.types.ints) between unsigned;

  # A number of MiB, or a text such as "2G".
  mib = minimum: maximum: either (between minimum maximum)
    (strMatching "[0-9]+ *(M|MiB|G|GiB|T|TiB)?");
  # Such as a version, 9.1, or a number of threads, 4.
  number = either str (either int float);
  count = either str unsigned;
  # What the build reads: a package, a path, or a word in its place.
  input = either path str;
  # A file on the host, which is read when the VM starts.
  file = either path str;
  json = (either
    (nullOr (either bool (either int (either float (either str path)))))
    (either (attrsOf json) (listOf json))) // {
      description = "value of JSON";
    };
in
{
  options.microvm = {
    hostName = mkOption {
      type = str;
      description = ''
        Name of the VM: letters, digits, '-', '_' and '.'. It is also the host name of a guest that
        has none of its own (Linux 6.0 and later; kernel parameter hostname=).
      '';
    };
    toplevel = mkOption {
      type = nullOr input;
      default = null;
      description = ''
        The system: a store path that contains `init`. The kernel, its modules and its parameters
        are taken from it unless they are given: from its files kernel, initrd, kernel-modules,
        kernel-params and boot.json.
      '';
    };
    rootfs = mkOption {
      type = nullOr input;
      default = null;
      description = ''
        The system, in place of toplevel: a directory with a whole Linux distribution, such as
        debootstrap makes or an exported container has. It is packed into the store disk with the
        owners and modes of its files, which only root can read. The guest's / is an overlay on it:
        changes are lost when the VM stops, unless a volume has the mountPoint /. The kernel and its
        modules are taken from its /boot and /lib/modules.
      '';
    };
    storePaths = mkOption {
      type = listOf input;
      default = [ ];
      description = ''
        Further store paths for the guest, with everything that they refer to.
      '';
    };
    closure = mkOption {
      type = nullOr input;
      default = null;
      description = ''
        File that describes the closure: a closureInfo directory, a registration or store-paths
        file, an exportReferencesGraph file, .attrs.json, or path-info JSON. Default: the calling
        derivation's structured attributes, else the Nix database, else nix-store, else a scan for
        references.
      '';
    };
    storeDir = mkOption {
      type = str;
      default = "/nix/store";
      description = ''
        The Nix store directory.
      '';
    };
    kernel = mkOption {
      type = nullOr package;
      default = null;
      description = ''
        The kernel's image, or a directory that contains it, such as a kernel package of Nix.
        Default: toplevel/kernel, or the only boot/vmlinuz-* of rootfs.
      '';
    };
    initrd = mkOption {
      type = nullOr input;
      default = null;
      description = ''
        An initrd to use instead of mvmbuild's own. The word guest means the one in toplevel.
        Default: mvmbuild's own initrd.
      '';
    };
    initrdPath = mkOption {
      type = nullOr input;
      default = null;
      description = ''
        An alias of initrd.
      '';
    };
    kernelModules = mkOption {
      type = nullOr input;
      default = null;
      description = ''
        Directory that contains lib/modules/VERSION, for mvmbuild's own initrd. Default:
        toplevel/kernel-modules or lib/modules of rootfs, else the kernel package's own.
      '';
    };
    kernelParams = mkOption {
      type = nullOr (listOf str);
      default = null;
      description = ''
        Kernel parameters, placed after mvmbuild's own. A blank separates parameters, except between
        double quotes: name="a b". Store paths in them must be in the closure. Default:
        toplevel/kernel-params.
      '';
    };
    stage1 = {
      modules = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further kernel modules for mvmbuild's own initrd to load.
        '';
      };
    };
    hypervisor = mkOption {
      type = enum [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth"
        "vfkit" ];
      default = "qemu";
      description = ''
        The hypervisor that the runner starts.
      '';
    };
    cpu = mkOption {
      type = nullOr str;
      default = null;
      description = ''
        CPU model to emulate, by QEMU's name; null: the host's own.
      '';
    };
    vcpu = mkOption {
      type = between 1 1024;
      default = 1;
      description = ''
        Number of virtual CPUs.
      '';
    };
    mem = mkOption {
      type = mib 1 16777216;
      default = 512;
      description = ''
        The guest's memory: a number of MiB, or a string such as 2G.
      '';
    };
    hugepageMem = mkOption {
      type = bool;
      default = false;
      description = ''
        Back the memory with huge pages. On qemu, cloud-hypervisor, firecracker, kvmtool and
        stratovirt the host must have reserved them; microvm-check reports how many are needed.
      '';
    };
    hotplugMem = mkOption {
      type = mib 0 16777216;
      default = 0;
      description = ''
        Memory that can be added later, with virtio-mem.
      '';
    };
    hotpluggedMem = mkOption {
      type = nullOr (mib 0 16777216);
      default = null;
      description = ''
        The part of hotplugMem that the VM has at its start. Default: hotplugMem.
      '';
    };
    balloon = mkOption {
      type = bool;
      default = false;
      description = ''
        A balloon device, with which the host takes memory back.
      '';
    };
    initialBalloonMem = mkOption {
      type = mib 0 16777216;
      default = 0;
      description = ''
        Size of the balloon at the start.
      '';
    };
    deflateOnOOM = mkOption {
      type = bool;
      default = true;
      description = ''
        The balloon releases memory before the guest runs out of it.
      '';
    };
    machineId = mkOption {
      type = nullOr str;
      default = null;
      example = "1f0c1c5e-6a52-4d0b-9d3b-2f9a6f1f7c10";
      description = ''
        UUID of the VM, 8-4-4-4-12 hex digits; null: none. The guest reads it from SMBIOS. Without
        SMBIOS (QEMU's machine microvm, aarch64, firecracker, kvmtool, stratovirt, alioth, vfkit),
        an id that is given here is passed as the kernel parameter systemd.machine_id=. Default:
        derived from hostName.
      '';
    };
    credentialFiles = mkOption {
      type = attrsOf file;
      default = { };
      example = { age-key = "/run/secrets/age-key"; };
      description = ''
        systemd credentials: names of at most 28 bytes, and files on the host, which are read when
        the VM starts.
      '';
    };
    vsock = {
      cid = mkOption {
        type = nullOr (between 3 4294967294);
        default = null;
        description = ''
          The guest's vsock address; null: no vsock.
        '';
      };
      notify = mkOption {
        type = nullOr bool;
        default = null;
        description = ''
          The guest's systemd (254 or newer) reports over the vsock when it is up; only then is the
          host's unit ready. Requires vsock.cid. Default: true on cloud-hypervisor with a vsock.
        '';
      };
      ssh = {
        enable = mkOption {
          type = bool;
          default = false;
          description = ''
            The guest's SSH server listens on its vsock; the guest's systemd (256 or newer) or
            configuration must set this up. Requires vsock.cid.
          '';
        };
      };
    };
    graphics = {
      enable = mkOption {
        type = bool;
        default = false;
        description = ''
          A display for the guest.
        '';
      };
      backend = mkOption {
        type = nullOr (enum [ "gtk" "cocoa" "headless" ]);
        default = "gtk";
        description = ''
          QEMU's display.
        '';
      };
      socket = mkOption {
        type = nullOr str;
        default = null;
        description = ''
          Socket of the vhost-user GPU. Default: HOSTNAME-gpu.sock.
        '';
      };
      vulkan = mkOption {
        type = nullOr (enum [ "venus" "drm_native_context" ]);
        default = null;
        description = ''
          The way in which the guest gets Vulkan; null: it gets none.
        '';
      };
      hostmem = mkOption {
        type = count;
        default = "256M";
        description = ''
          Size of the GPU's memory window: a power of two.
        '';
      };
      crosvmPackage = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/crosvm, whose GPU device other hypervisors use.
        '';
      };
    };
    storeOnDisk = mkOption {
      type = nullOr bool;
      default = null;
      description = ''
        The guest's store is on a disk of its own. Default: true, unless a share contains the host's
        store.
      '';
    };
    storeDisk = {
      type = mkOption {
        type = nullOr (enum [ "squashfs" "erofs" ]);
        default = "squashfs";
        description = ''
          File system of the store disk.
        '';
      };
      compression = mkOption {
        type = nullOr (enum [ "zstd" "lz4" "lz4hc" "deflate" "lzma" "gzip" "lzo" "xz" "none" ]);
        default = null;
        description = ''
          Compressor. squashfs: zstd; with the engine mksquashfs also gzip, lz4, lzo, xz and none.
          erofs: lz4, lz4hc and none, and deflate, lzma and zstd if the installed mkfs.erofs
          supports it. Default: zstd for squashfs, lz4hc for erofs.
        '';
      };
      level = mkOption {
        type = between 0 22;
        default = 0;
        description = ''
          Compression level; 0: the default, which is 3 for squashfs with zstd, 9 for erofs with
          lz4hc, and mkfs.erofs's own default for other compressors of erofs.
        '';
      };
      blockSize = mkOption {
        type = nullOr (between 4096 1048576);
        default = null;
        description = ''
          Block size, a power of two. For erofs, it is the maximum size that blocks are compressed
          to. Default: 131072 for squashfs, 4096 for erofs.
        '';
      };
      engine = mkOption {
        type = nullOr (enum [ "linked" "mksquashfs" "mkfs.erofs" ]);
        default = "linked";
        description = ''
          linked: assembled from store paths that are compressed once and cached. mksquashfs:
          created as a whole by squashfs-tools. mkfs.erofs: created as a whole by erofs-utils 1.7 or
          later.
        '';
      };
      device = mkOption {
        type = nullOr (enum [ "block" "pmem" ]);
        default = "block";
        description = ''
          block: a virtio disk, whose pages the guest keeps in its own page cache. pmem: persistent
          memory (virtio-pmem), for erofs with the compression none: the guest maps the host's pages
          (DAX), so all VMs with the same disk share one copy.
        '';
      };
      direct = mkOption {
        type = bool;
        default = false;
        description = ''
          Open the store disk with O_DIRECT: its pages are cached in the guest only, not in the
          host's page cache too. Not for device: pmem, which is the host's page cache.
        '';
      };
      link = mkOption {
        type = nullOr (enum [ "build" "host" ]);
        default = "build";
        description = ''
          build: the runner contains the disk. host: the runner contains the list of the store
          paths, and the host that runs the VM links the disk from its own store, once for all VMs
          with the same list (mvmbuild link).
        '';
      };
      verity = mkOption {
        type = bool;
        default = false;
        description = ''
          Verify every block of the store disk against a hash tree when it is read (dm-verity). The
          root hash is in mvmbuild's own initrd, so a modified disk is rejected.
        '';
      };
      verify = mkOption {
        type = bool;
        default = true;
        description = ''
          Compare the files of each store path with its recorded hash while the disk is made. false,
          for erofs with the compression none: trust the hashes, and read no file whose blocks the
          disk can share.
        '';
      };
    };
    storeDiskType = mkOption {
      type = nullOr (enum [ "squashfs" "erofs" ]);
      default = null;
      description = ''
        Same as storeDisk.type.
      '';
    };
    storeDiskErofsFlags = mkOption {
      type = listOf str;
      default = [ ];
      description = ''
        Flags for mkfs.erofs: -z, -C and -E with ztailpacking, fragments, all-fragments, dedupe. The
        last three require the engine mkfs.erofs, but are ignored in microvm.nix's default, -zlz4hc
        -Eztailpacking -Efragments.
      '';
    };
    storeDiskSquashfsFlags = mkOption {
      type = listOf str;
      default = [ ];
      description = ''
        Flags for gensquashfs: -c, -X level= and -b, which are the same as storeDisk.compression,
        .level and .blockSize; -j and -q are ignored.
      '';
    };
    nixDatabase = mkOption {
      type = nullOr (enum [ "prebuilt" "registration" "hostOverlay" "none" ]);
      default = null;
      description = ''
        How the guest's Nix learns what is in its store: from a finished database (prebuilt), from a
        registration file that the guest loads (registration), or from the host's database, if the
        store is shared (hostOverlay). Default: prebuilt with mvmbuild's own initrd, else none.
      '';
    };
    registerClosure = mkOption {
      type = bool;
      default = true;
      description = ''
        false means nixDatabase: none.
      '';
    };
    writableStoreOverlay = mkOption {
      type = nullOr str;
      default = null;
      example = "/nix/.rw-store";
      description = ''
        Directory in the guest for a writable layer over the store, such as /nix/.rw-store: in
        memory, or on the volume or virtiofs share that is mounted there or above it.
      '';
    };
    volumes = mkOption {
      type = listOf (submodule {
        options = {
          image = mkOption {
            type = str;
            description = ''
              The image file on the host, or, with autoCreate: false, a block device.
            '';
          };
          serial = mkOption {
            type = nullOr str;
            default = null;
            description = ''
              Serial number of the disk, at most 20 letters, digits, '-', '_' and '.'.
            '';
          };
          direct = mkOption {
            type = bool;
            default = false;
            description = ''
              Open the image with O_DIRECT, bypassing the host's page cache.
            '';
          };
          readOnly = mkOption {
            type = bool;
            default = false;
            description = ''
              The guest cannot write to the volume.
            '';
          };
          label = mkOption {
            type = nullOr str;
            default = null;
            description = ''
              Label of the file system, set when it is created. How long it can be depends on the
              file system: see the table of file systems.
            '';
          };
          mountPoint = mkOption {
            type = nullOr str;
            default = null;
            description = ''
              Where the guest mounts the volume; null: not mounted.
            '';
          };
          size = mkOption {
            type = nullOr (mib 0 16777216);
            default = null;
            description = ''
              Size of the volume: a number of MiB, or a string such as 2G or 512MiB. If the size was
              increased, an existing volume grows at the next start; a smaller size is refused then.
            '';
          };
          autoCreate = mkOption {
            type = bool;
            default = true;
            description = ''
              Create the image at the first start.
            '';
          };
          mkfsExtraArgs = mkOption {
            type = listOf str;
            default = [ ];
            description = ''
              Further arguments for the file system's mkfs. A file system that is otherwise created
              at build time is then created by its mkfs, at the first start.
            '';
          };
          fsType = mkOption {
            type = str;
            default = "ext4";
            description = ''
              File system of the volume. docs/storage.md lists those that mvmbuild can create.
            '';
          };
          imageType = mkOption {
            type = nullOr (enum [ "raw" "qcow2" "vhd" "vhdx" ]);
            default = "raw";
            description = ''
              Format of an existing image; created images are raw.
            '';
          };
        };
      });
      default = [ ];
      example = [ { image = "data.img"; mountPoint = "/data"; size = 2048; } ];
      description = ''
        Writable disks.
      '';
    };
    shares = mkOption {
      type = listOf (submodule {
        options = {
          tag = mkOption {
            type = str;
            description = ''
              Name of the share, by which the guest finds it.
            '';
          };
          socket = mkOption {
            type = nullOr str;
            default = null;
            description = ''
              Socket of the share's virtiofsd. Default: HOSTNAME-virtiofs-TAG.sock for virtiofs.
            '';
          };
          source = mkOption {
            type = str;
            description = ''
              The shared directory on the host.
            '';
          };
          securityModel = mkOption {
            type = nullOr (enum [ "passthrough" "none" "mapped" "mapped-file" ]);
            default = "none";
            description = ''
              9p: how owners and modes of files are stored.
            '';
          };
          mountPoint = mkOption {
            type = str;
            description = ''
              Where the guest mounts the share.
            '';
          };
          proto = mkOption {
            type = nullOr (enum [ "9p" "virtiofs" ]);
            default = "9p";
            description = ''
              Protocol of the share; virtiofs needs the program virtiofsd on the host.
            '';
          };
          readOnly = mkOption {
            type = nullOr bool;
            default = null;
            description = ''
              The guest cannot write to the share. A share that exposes the host's store is always
              read-only. Default: false, but true if source is, contains or is inside storeDir or
              the Nix state directory beside it.
            '';
          };
          cache = mkOption {
            type = nullOr (enum [ "auto" "always" "metadata" "never" ]);
            default = "auto";
            description = ''
              virtiofs: caching policy.
            '';
          };
          posixAcl = mkOption {
            type = bool;
            default = true;
            description = ''
              virtiofs: POSIX ACLs and extended attributes.
            '';
          };
          dax = mkOption {
            type = bool;
            default = false;
            description = ''
              virtiofs: the guest maps the host's pages of files instead of copying them (DAX). The
              hypervisor itself serves the share, without a virtiofsd, and the guest can write to
              it.
            '';
          };
          extraArgs = mkOption {
            type = listOf str;
            default = [ ];
            description = ''
              Further arguments for the share's virtiofsd, after those for all shares.
            '';
          };
        };
      });
      default = [ ];
      example = [ { tag = "media"; source = "/srv/media"; mountPoint = "/media"; proto = "virtiofs";
        } ];
      description = ''
        Directories of the host that the guest can mount.
      '';
    };
    interfaces = mkOption {
      type = listOf (submodule {
        options = {
          type = mkOption {
            type = enum [ "user" "tap" "macvtap" "bridge" ];
            description = ''
              How the interface is connected to the network.
            '';
          };
          id = mkOption {
            type = str;
            description = ''
              Name of the interface on the host, at most 15 bytes.
            '';
          };
          macvtap = {
            link = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                The host's interface that the macvtap is attached to.
              '';
            };
            mode = mkOption {
              type = nullOr (enum [ "private" "vepa" "bridge" "passthru" "source" ]);
              default = null;
              description = ''
                The macvlan mode: which other interfaces of the link the guest can reach.
              '';
            };
          };
          bridge = mkOption {
            type = nullOr str;
            default = null;
            description = ''
              The host's bridge that an interface of type bridge joins, or that tap-up adds a tap
              to. For type bridge the host's /etc/qemu/bridge.conf must have a line such as: allow
              br0 (docs/hosts.md).
            '';
          };
          mac = mkOption {
            type = nullOr str;
            default = null;
            description = ''
              MAC address of the guest's interface, such as 02:00:00:00:00:01. Default: derived from
              hostName and id.
            '';
          };
          tap = {
            vhost = mkOption {
              type = bool;
              default = false;
              description = ''
                Process packets in the host's kernel (vhost-net).
              '';
            };
          };
        };
      });
      default = [ ];
      example = [ { type = "tap"; id = "vm-web1"; mac = "02:00:00:00:00:01"; } ];
      description = ''
        Network interfaces.
      '';
    };
    forwardPorts = mkOption {
      type = listOf (submodule {
        options = {
          from = mkOption {
            type = nullOr (enum [ "host" "guest" ]);
            default = "host";
            description = ''
              host: connections to the host's port are forwarded to the guest. guest: the reverse.
            '';
          };
          proto = mkOption {
            type = nullOr (enum [ "tcp" "udp" ]);
            default = "tcp";
            description = ''
              The protocol that is forwarded.
            '';
          };
          host = {
            address = mkOption {
              type = str;
              default = "";
              description = ''
                IPv4 address on the host; empty: any.
              '';
            };
            port = mkOption {
              type = between 1 65535;
              description = ''
                Port on the host.
              '';
            };
          };
          guest = {
            address = mkOption {
              type = str;
              default = "";
              description = ''
                IPv4 address in the guest's network; empty: the guest.
              '';
            };
            port = mkOption {
              type = between 1 65535;
              description = ''
                Port in the guest.
              '';
            };
          };
        };
      });
      default = [ ];
      example = [ { from = "host"; host = { port = 2222; }; guest = { port = 22; }; } ];
      description = ''
        Ports forwarded between host and guest, with an interface of type user.
      '';
    };
    devices = mkOption {
      type = listOf (submodule {
        options = {
          bus = mkOption {
            type = enum [ "pci" "usb" ];
            description = ''
              Bus of the device on the host.
            '';
          };
          path = mkOption {
            type = str;
            description = ''
              The device: 0000:01:00.0 on the PCI bus, or vendorid=0xabcd,productid=0x0123 on USB.
            '';
          };
          qemu = {
            id = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                QEMU's id of the device.
              '';
            };
            bus = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                QEMU bus that the device is attached to.
              '';
            };
            deviceExtraArgs = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                Further properties, in QEMU's syntax.
              '';
            };
          };
        };
      });
      default = [ ];
      example = [ { bus = "pci"; path = "0000:01:00.0"; } ];
      description = ''
        PCI and USB devices of the host that are passed to the guest.
      '';
    };
    socket = mkOption {
      type = nullOr str;
      default = null;
      description = ''
        Control socket of the hypervisor; null: no socket, and no microvm-shutdown. Default:
        HOSTNAME.sock.
      '';
    };
    startupTimeout = mkOption {
      type = between 1 86400;
      default = 150;
      description = ''
        How long the host's unit waits for a guest to report that it is up (vsock.notify). Less than
        the unit's own TimeoutStartSec=150s has no effect.
      '';
    };
    shutdownTimeout = mkOption {
      type = between 1 86400;
      default = 120;
      description = ''
        How long microvm-shutdown, and thus the host's unit, waits for the guest to shut down before
        it is powered off; systemd in the guest gives each of its services 90 seconds. If the
        hypervisor cannot request a shutdown, the guest is powered off at once.
      '';
    };
    user = mkOption {
      type = nullOr str;
      default = null;
      description = ''
        The user that the hypervisor switches to if it is started as root.
      '';
    };
    preStart = mkOption {
      type = lines;
      default = "";
      description = ''
        Shell commands that run in the state directory before the hypervisor starts, in the same
        bash: their ulimit, umask, cd and exported variables hold for it. If one fails, the VM does
        not start. Names that begin with mvm_ are reserved.
      '';
    };
    extraArgsScript = mkOption {
      type = nullOr str;
      default = null;
      description = ''
        A program that prints one line of further arguments when the VM starts.
      '';
    };
    binScripts = mkOption {
      type = attrsOf lines;
      default = { };
      description = ''
        Further scripts for the runner's bin/: names and shell code. One called tap-up, tap-down,
        macvtap-up, macvtap-down or pci-setup replaces mvmbuild's; tap-up.after and the like are run
        at the end of it, and virtiofsd-run.before before the shares are served.
      '';
    };
    prettyProcnames = mkOption {
      type = bool;
      default = true;
      description = ''
        Name the hypervisor's process microvm@HOSTNAME.
      '';
    };
    systemSymlink = mkOption {
      type = nullOr bool;
      default = null;
      description = ''
        Make share/microvm/system a link to toplevel. Default: true if storeOnDisk is false.
      '';
    };
    registerWithMachined = mkOption {
      type = bool;
      default = false;
      description = ''
        Register the VM with the host's systemd-machined, with microvm-register and
        microvm-unregister.
      '';
    };
    hostSystem = mkOption {
      type = nullOr (enum [ "native" "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin"
        ]);
      default = "native";
      description = ''
        The host that runs the VM, if it is of another architecture than the machine that builds, or
        a Mac: then KVM, or hvf, is for guests of that architecture, and hostShell, hostPath and all
        packages must be for that host.
      '';
    };
    hostShell = mkOption {
      type = str;
      default = "/usr/bin/env bash";
      description = ''
        The bash that runs the runner's scripts.
      '';
    };
    hostUser = mkOption {
      type = str;
      default = "microvm";
      description = ''
        The user that runs the VM on the host and owns its tap and macvtap interfaces and PCI
        devices.
      '';
    };
    hostGroup = mkOption {
      type = nullOr str;
      default = null;
      description = ''
        The group of the macvtap interfaces and PCI devices. Default: unchanged.
      '';
    };
    hostPath = mkOption {
      type = listOf str;
      default = [ ];
      description = ''
        Directories with the programs that the runner's scripts use (coreutils, tar, gzip),
        prepended to PATH.
      '';
    };
    confinement = {
      enable = mkOption {
        type = bool;
        default = true;
        description = ''
          The VM's unit shows the hypervisor only what the description names. false: it sees all of
          the host, as its user does.
        '';
      };
      readOnlyPaths = mkOption {
        type = listOf str;
        default = [ ];
        example = [ "/srv/firmware" ];
        description = ''
          Further files and directories of the host that preStart or extraArgs read.
        '';
      };
      paths = mkOption {
        type = listOf str;
        default = [ ];
        example = [ "/srv/results" ];
        description = ''
          Further files, directories and devices of the host that they may change.
        '';
      };
    };
    virtiofsd = {
      inodeFileHandles = mkOption {
        type = nullOr (enum [ "never" "prefer" "mandatory" ]);
        default = "prefer";
        description = ''
          Whether virtiofsd uses file handles instead of open files, which requires root; QEMU's own
          virtiofsd never uses them.
        '';
      };
      threadPoolSize = mkOption {
        type = count;
        default = "`nproc`";
        description = ''
          Number of threads of each virtiofsd, or `nproc` in backquotes: as many as the host has
          CPUs.
        '';
      };
      group = mkOption {
        type = nullOr str;
        default = null;
        description = ''
          Group that may connect to virtiofsd's sockets; null: only their owner may. Default: the
          group that may write to the VM's directory.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for every virtiofsd, each passed unchanged.
        '';
      };
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/virtiofsd; null: search PATH and the places where
          distributions install it.
        '';
      };
    };
    qemu = {
      machine = mkOption {
        type = nullOr str;
        default = null;
        description = ''
          Machine type, such as microvm or q35. Default: microvm on x86_64, virt on aarch64.
        '';
      };
      machineOpts = mkOption {
        type = nullOr (attrsOf str);
        default = null;
        description = ''
          Replaces the options of the machine type, except accel, which is added if it is missing.
          Default: those that mvmbuild chooses.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for QEMU, after mvmbuild's own.
        '';
      };
      serialConsole = mkOption {
        type = bool;
        default = true;
        description = ''
          A serial console on standard input and output.
        '';
      };
      sandbox = mkOption {
        type = bool;
        default = true;
        description = ''
          QEMU denies itself the system calls that the VM does not need (-sandbox). false: for a
          QEMU that was built without seccomp, which does not start with it. With an interface of
          type bridge there is never a sandbox.
        '';
      };
      pcieRootPorts = mkOption {
        type = listOf (submodule {
          options = {
            id = mkOption {
              type = str;
              description = ''
                Name of the port.
              '';
            };
            bus = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                Bus that the port is attached to.
              '';
            };
            chassis = mkOption {
              type = nullOr (between 0 255);
              default = null;
              description = ''
                Chassis number.
              '';
            };
            slot = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                Slot number.
              '';
            };
            addr = mkOption {
              type = nullOr str;
              default = null;
              description = ''
                Address on the parent bus.
              '';
            };
          };
        });
        default = [ ];
        description = ''
          PCIe root ports, for hot-plugging and fixed addresses.
        '';
      };
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/qemu-system-*; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of QEMU that the runner is for, such as 51 or 9.1. Default: the current version.
        '';
      };
    };
    cloud-hypervisor = {
      platformOEMStrings = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          SMBIOS strings for the guest.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for cloud-hypervisor, after mvmbuild's own.
        '';
      };
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/cloud-hypervisor; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of cloud-hypervisor that the runner is for, such as 51 or 9.1. Default: the
          current version.
        '';
      };
    };
    firecracker = {
      cpu = mkOption {
        type = nullOr json;
        default = null;
        description = ''
          CPU template.
        '';
      };
      driveIoEngine = mkOption {
        type = nullOr (enum [ "Async" "Sync" ]);
        default = "Async";
        description = ''
          The I/O engine of disks.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for firecracker, after mvmbuild's own.
        '';
      };
      extraConfig = mkOption {
        type = nullOr json;
        default = null;
        description = ''
          Merged into firecracker's configuration.
        '';
      };
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/firecracker; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of firecracker that the runner is for, such as 51 or 9.1. Default: the current
          version.
        '';
      };
    };
    crosvm = {
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for crosvm, after mvmbuild's own.
        '';
      };
      pivotRoot = mkOption {
        type = nullOr str;
        default = null;
        description = ''
          Empty directory for crosvm's sandbox; null: one in the runner.
        '';
      };
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/crosvm; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of crosvm that the runner is for, such as 51 or 9.1. Default: the current version.
        '';
      };
    };
    kvmtool = {
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/lkvm; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of lkvm that the runner is for, such as 51 or 9.1. Default: the current version.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for lkvm, after mvmbuild's own.
        '';
      };
    };
    stratovirt = {
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/stratovirt; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of stratovirt that the runner is for, such as 51 or 9.1. Default: the current
          version.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for stratovirt, after mvmbuild's own.
        '';
      };
    };
    alioth = {
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/alioth; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of alioth that the runner is for, such as 51 or 9.1. Default: the current version.
        '';
      };
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for alioth, after mvmbuild's own.
        '';
      };
    };
    vfkit = {
      extraArgs = mkOption {
        type = listOf str;
        default = [ ];
        description = ''
          Further arguments for vfkit, after mvmbuild's own.
        '';
      };
      logLevel = mkOption {
        type = nullOr (enum [ "debug" "info" "error" ]);
        default = "info";
        description = ''
          How much vfkit logs.
        '';
      };
      package = mkOption {
        type = nullOr package;
        default = null;
        description = ''
          Directory that contains bin/vfkit; null: search PATH.
        '';
      };
      version = mkOption {
        type = nullOr number;
        default = null;
        description = ''
          Version of vfkit that the runner is for, such as 51 or 9.1. Default: the current version.
        '';
      };
      rosetta = {
        enable = mkOption {
          type = bool;
          default = false;
          description = ''
            Run x86_64 programs on Apple silicon.
          '';
        };
        install = mkOption {
          type = bool;
          default = false;
          description = ''
            Install Rosetta if it is missing.
          '';
        };
        ignoreIfMissing = mkOption {
          type = bool;
          default = false;
          description = ''
            Start without Rosetta if it is not available.
          '';
        };
      };
    };
  };
}
