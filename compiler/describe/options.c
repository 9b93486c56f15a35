/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/interface/backend.h"
#include "backends/interface/option_rows.h"
#include "compiler/describe/options.h"

enum {
	HOST_NAME_BYTES = 63,
	LINUX_INTERFACE_BYTES = 15,
	VIRTIO_SERIAL_BYTES = 20,
	USER_BYTES = 32, /* LOGIN_NAME_MAX is larger, but useradd(8) accepts no longer names */
	SCRIPT_NAME_BYTES = 64,
	/*
	 * A fw_cfg file name has at most 55 bytes (FW_CFG_MAX_FILE_PATH in QEMU's
	 * hw/nvram/fw_cfg.h), of which "opt/io.systemd.credentials/" takes 27.
	 */
	CREDENTIAL_BYTES = 28,
};

static const struct option volume_options[] = {
	{.name = "image",
		STRING(struct volume, image),
		.base = PATH_FROM_STATE,
		.shape = &shape_path,
		.required = true,
		.arg = "path",
		.doc = "The image file on the host, or, with autoCreate: false, a block device."},
	{.name = "serial",
		STRING(struct volume, serial),
		.shape = &shape_serial,
		.longest = VIRTIO_SERIAL_BYTES,
		.doc = "Serial number of the disk, at most 20 letters, digits, '-', '_' and '.'."},
	{.name = "direct",
		BOOL(struct volume, direct),
		.def = "false",
		.doc = "Open the image with O_DIRECT, bypassing the host's page cache."},
	{.name = "readOnly",
		BOOL(struct volume, read_only),
		.def = "false",
		.doc = "The guest cannot write to the volume."},
	{.name = "label",
		STRING(struct volume, label),
		.doc = "Label of the file system, set when it is created. How long it can "
		       "be depends on the file system: see the table of file systems."},
	{.name = "mountPoint",
		STRING(struct volume, mount_point),
		.shape = &shape_mount_point,
		.arg = "path",
		.doc = "Where the guest mounts the volume; null: not mounted."},
	{.name = "size",
		MIB(struct volume, size_mib, 1),
		.doc = "Size of the volume: a number of MiB, or a string such as 2G or 512MiB. If "
		       "the size was increased, an existing volume grows at the next start; a "
		       "smaller size is refused then."},
	{.name = "autoCreate",
		BOOL(struct volume, auto_create),
		.def = "true",
		.doc = "Create the image at the first start."},
	{.name = "mkfsExtraArgs",
		STRINGS(struct volume, mkfs_extra_args),
		.doc = "Further arguments for the file system's mkfs. A file system that is "
		       "otherwise created at build time is then created by its mkfs, at the first "
		       "start."},
	{.name = "fsType",
		STRING(struct volume, fs_type),
		.shape = &shape_fs_type,
		.def = "ext4",
		.doc = "File system of the volume. docs/storage.md lists those that mvmbuild "
		       "can create."},
	{.name = "imageType",
		ENUM(struct volume, image_type, image_type),
		.def = "raw",
		.doc = "Format of an existing image; created images are raw."},
	{0},
};

static const struct option macvtap_options[] = {
	{.name = "link",
		STRING(struct interface, macvtap.link),
		.doc = "The host's interface that the macvtap is attached to."},
	{.name = "mode",
		ENUM(struct interface, macvtap.mode, macvtap_mode),
		.doc = "The macvlan mode: which other interfaces of the link the guest can reach."},
	{0},
};

static const struct option tap_options[] = {
	{.name = "vhost",
		BOOL(struct interface, tap.vhost),
		.def = "false",
		.doc = "Process packets in the host's kernel (vhost-net)."},
	{0},
};

static const struct option interface_options[] = {
	{.name = "type",
		ENUM(struct interface, type, interface_type),
		.required = true,
		.doc = "How the interface is connected to the network."},
	{.name = "id",
		STRING(struct interface, id),
		.shape = &shape_name,
		.longest = LINUX_INTERFACE_BYTES,
		.required = true,
		.doc = "Name of the interface on the host, at most 15 bytes."},
	{.name = "macvtap", GROUP(macvtap_options), .doc = "Options of a macvtap interface."},
	{.name = "bridge",
		STRING(struct interface, bridge),
		.shape = &shape_name,
		.longest = LINUX_INTERFACE_BYTES,
		.doc = "The host's bridge that an interface of type bridge joins, or that tap-up "
		       "adds a tap to. For type bridge the host's /etc/qemu/bridge.conf must have "
		       "a line such as: allow br0 (docs/hosts.md)."},
	{.name = "mac",
		STRING(struct interface, mac),
		.shape = &shape_mac,
		.def_doc = "derived from hostName and id",
		.doc = "MAC address of the guest's interface, such as 02:00:00:00:00:01."},
	{.name = "tap", GROUP(tap_options), .doc = "Options of a tap interface."},
	{0},
};

static const struct option share_options[] = {
	{.name = "tag",
		STRING(struct share, tag),
		.shape = &shape_share_tag,
		.required = true,
		.doc = "Name of the share, by which the guest finds it."},
	{.name = "socket",
		STRING(struct share, socket),
		.base = PATH_FROM_STATE,
		.def_doc = "HOSTNAME-virtiofs-TAG.sock for virtiofs",
		.doc = "Socket of the share's virtiofsd."},
	{.name = "source",
		STRING(struct share, source),
		.base = PATH_FROM_STATE,
		.shape = &shape_path,
		.required = true,
		.arg = "path",
		.doc = "The shared directory on the host."},
	{.name = "securityModel",
		ENUM(struct share, security_model, security_model),
		.def = "none",
		.doc = "9p: how owners and modes of files are stored."},
	{.name = "mountPoint",
		STRING(struct share, mount_point),
		.shape = &shape_mount_point,
		.required = true,
		.arg = "path",
		.doc = "Where the guest mounts the share."},
	{.name = "proto",
		ENUM(struct share, proto, share_proto),
		.def = "9p",
		.doc = "Protocol of the share; virtiofs needs the program virtiofsd on the host."},
	{.name = "readOnly",
		BOOL(struct share, read_only),
		.def_doc = "false, but true if source is, contains or is inside storeDir or the "
			   "Nix state directory beside it",
		.doc = "The guest cannot write to the share. A share that exposes the host's store "
		       "is always read-only."},
	{.name = "cache",
		ENUM(struct share, cache, share_cache),
		.def = "auto",
		.doc = "virtiofs: caching policy."},
	{.name = "posixAcl",
		BOOL(struct share, posix_acl),
		.def = "true",
		.doc = "virtiofs: POSIX ACLs and extended attributes."},
	{.name = "dax",
		BOOL(struct share, dax),
		.def = "false",
		.doc = "virtiofs: the guest maps the host's pages of files instead of copying them "
		       "(DAX). The hypervisor itself serves the share, without a virtiofsd, and "
		       "the guest can write to it."},
	{.name = "extraArgs",
		STRINGS(struct share, extra_args),
		.doc = "Further arguments for the share's virtiofsd, after those for all shares."},
	{0},
};

static const struct option forward_host_options[] = {
	{.name = "address",
		STRING(struct forward_port, host.address),
		.shape = &shape_ipv4,
		.def = "''",
		.doc = "IPv4 address on the host; empty: any."},
	{.name = "port",
		INT(struct forward_port, host.port, 1, 65535),
		.required = true,
		.doc = "Port on the host."},
	{0},
};
static const struct option forward_guest_options[] = {
	{.name = "address",
		STRING(struct forward_port, guest.address),
		.shape = &shape_ipv4,
		.def = "''",
		.doc = "IPv4 address in the guest's network; empty: the guest."},
	{.name = "port",
		INT(struct forward_port, guest.port, 1, 65535),
		.required = true,
		.doc = "Port in the guest."},
	{0},
};
static const struct option forward_port_options[] = {
	{.name = "from",
		ENUM(struct forward_port, from, forward_from),
		.def = "host",
		.doc = "host: connections to the host's port are forwarded to the guest. guest: "
		       "the reverse."},
	{.name = "proto",
		ENUM(struct forward_port, proto, transport),
		.def = "tcp",
		.doc = "The protocol that is forwarded."},
	{.name = "host", GROUP(forward_host_options), .doc = "The host's end."},
	{.name = "guest", GROUP(forward_guest_options), .doc = "The guest's end."},
	{0},
};

static const struct option device_qemu_options[] = {
	{.name = "id",
		STRING(struct device, qemu.id),
		.shape = &shape_qemu_id,
		.doc = "QEMU's id of the device."},
	{.name = "bus",
		STRING(struct device, qemu.bus),
		.doc = "QEMU bus that the device is attached to."},
	{.name = "deviceExtraArgs",
		STRING(struct device, qemu.device_extra_args),
		.doc = "Further properties, in QEMU's syntax."},
	{0},
};
static const struct option device_options[] = {
	{.name = "bus",
		ENUM(struct device, bus, device_bus),
		.required = true,
		.doc = "Bus of the device on the host."},
	{.name = "path",
		STRING(struct device, path),
		.required = true,
		.doc = "The device: 0000:01:00.0 on the PCI bus, or "
		       "vendorid=0xabcd,productid=0x0123 on USB."},
	{.name = "qemu", GROUP(device_qemu_options), .doc = "Options for QEMU."},
	{0},
};

static const struct option ssh_options[] = {
	{.name = "enable",
		BOOL(struct vm, vsock.ssh.enable),
		.def = "false",
		.doc = "The guest's SSH server listens on its vsock; the guest's systemd (256 or "
		       "newer) or configuration must set this up. Requires vsock.cid."},
	{0},
};

static const struct option vsock_options[] = {
	{.name = "cid",
		INT(struct vm, vsock.cid, 3, 4294967294),
		.doc = "The guest's vsock address; null: no vsock."},
	{.name = "notify",
		BOOL(struct vm, vsock.notify),
		.def_doc = "true on cloud-hypervisor with a vsock",
		.doc = "The guest's systemd (254 or newer) reports over the vsock when it is up; "
		       "only then is the host's unit ready. Requires vsock.cid."},
	{.name = "ssh", GROUP(ssh_options), .doc = "SSH over the vsock."},
	{0},
};

static const struct option graphics_options[] = {
	{.name = "enable",
		BOOL(struct vm, graphics.enable),
		.def = "false",
		.doc = "A display for the guest."},
	{.name = "backend",
		ENUM(struct vm, graphics.backend, display),
		.def = "gtk",
		.doc = "QEMU's display."},
	{.name = "socket",
		STRING(struct vm, graphics.socket),
		.base = PATH_FROM_STATE,
		.def_doc = "HOSTNAME-gpu.sock",
		.doc = "Socket of the vhost-user GPU."},
	{.name = "vulkan",
		ENUM(struct vm, graphics.vulkan, vulkan),
		.doc = "The way in which the guest gets Vulkan; null: it gets none."},
	{.name = "hostmem",
		STRING(struct vm, graphics.hostmem),
		.shape = &shape_window,
		.def = "256M",
		.doc = "Size of the GPU's memory window: a power of two."},
	{.name = "crosvmPackage",
		STRING(struct vm, graphics.crosvm_package),
		.package = true,
		.arg = "path",
		.doc = "Directory that contains bin/crosvm, whose GPU device other hypervisors "
		       "use."},
	{0},
};

static const struct option confinement_options[] = {
	{.name = "enable",
		BOOL(struct vm, confinement.enable),
		.def = "true",
		.doc = "The VM's unit shows the hypervisor only what the description names. false: "
		       "it sees all of the host, as its user does."},
	{.name = "readOnlyPaths",
		STRINGS(struct vm, confinement.read_only_paths),
		.shape = &shape_absolute,
		.arg = "path",
		.example = "[/srv/firmware]",
		.doc = "Further files and directories of the host that preStart or extraArgs "
		       "read."},
	{.name = "paths",
		STRINGS(struct vm, confinement.paths),
		.shape = &shape_absolute,
		.arg = "path",
		.example = "[/srv/results]",
		.doc = "Further files, directories and devices of the host that they may change."},
	{0},
};

static const struct option virtiofsd_options[] = {
	{.name = "inodeFileHandles",
		ENUM(struct vm, virtiofsd.inode_file_handles, inode_file_handles),
		.def = "prefer",
		.doc = "Whether virtiofsd uses file handles instead of open files, which requires "
		       "root; QEMU's own virtiofsd never uses them."},
	{.name = "threadPoolSize",
		STRING(struct vm, virtiofsd.thread_pool_size),
		.shape = &shape_threads,
		.def = "'`nproc`'",
		.doc = "Number of threads of each virtiofsd, or `nproc` in backquotes: as many as "
		       "the host has CPUs."},
	{.name = "group",
		STRING(struct vm, virtiofsd.group),
		.shape = &shape_name,
		.longest = USER_BYTES,
		.def_doc = "the group that may write to the VM's directory",
		.doc = "Group that may connect to virtiofsd's sockets; null: only their owner "
		       "may."},
	{.name = "extraArgs",
		STRINGS(struct vm, virtiofsd.extra_args),
		.doc = "Further arguments for every virtiofsd, each passed unchanged."},
	{.name = "package",
		STRING(struct vm, virtiofsd.package),
		.shape = &shape_path,
		.package = true,
		.arg = "path",
		.doc = "Directory that contains bin/virtiofsd; null: search PATH and the places "
		       "where distributions install it."},
	{0},
};

static const struct option store_disk_options[] = {
	{.name = "type",
		ENUM(struct vm, store_disk.type, store_type),
		.def = "squashfs",
		.doc = "File system of the store disk."},
	{.name = "compression",
		ENUM(struct vm, store_disk.compression, compression),
		.def_doc = "zstd for squashfs, lz4hc for erofs",
		.doc = "Compressor. squashfs: zstd; with the engine mksquashfs also gzip, lz4, "
		       "lzo, xz and none. erofs: lz4, lz4hc and none, and deflate, lzma and zstd "
		       "if "
		       "the installed mkfs.erofs supports it."},
	{.name = "level",
		INT(struct vm, store_disk.level, 0, 22),
		.def = "0",
		.doc = "Compression level; 0: the default, which is 3 for squashfs with zstd, 9 "
		       "for "
		       "erofs with lz4hc, and mkfs.erofs's own default for other compressors of "
		       "erofs."},
	{.name = "blockSize",
		INT(struct vm, store_disk.block_size, 4096, 1048576),
		.def_doc = "131072 for squashfs, 4096 for erofs",
		.arg = "bytes",
		.doc = "Block size, a power of two. For erofs, it is the maximum size that blocks "
		       "are compressed to."},
	{.name = "engine",
		ENUM(struct vm, store_disk.engine, store_engine),
		.def = "linked",
		.doc = "linked: assembled from store paths that are compressed once and cached. "
		       "mksquashfs: created as a whole by squashfs-tools. mkfs.erofs: created as a "
		       "whole by erofs-utils 1.7 or later."},
	{.name = "device",
		ENUM(struct vm, store_disk.device, store_device),
		.def = "block",
		.doc = "block: a virtio disk, whose pages the guest keeps in its own page cache. "
		       "pmem: persistent memory (virtio-pmem), for erofs with the compression "
		       "none: the guest maps the host's pages (DAX), so all VMs with the same disk "
		       "share one copy."},
	{.name = "direct",
		BOOL(struct vm, store_disk.direct),
		.def = "false",
		.doc = "Open the store disk with O_DIRECT: its pages are cached in the guest only, "
		       "not in the host's page cache too. Not for device: pmem, which is the "
		       "host's "
		       "page cache."},
	{.name = "link",
		ENUM(struct vm, store_disk.link, store_link),
		.def = "build",
		.doc = "build: the runner contains the disk. host: the runner contains the list of "
		       "the store paths, and the host that runs the VM links the disk from its own "
		       "store, once for all VMs with the same list (mvmbuild link)."},
	{.name = "verity",
		BOOL(struct vm, store_disk.verity),
		.def = "false",
		.doc = "Verify every block of the store disk against a hash tree when it is read "
		       "(dm-verity). The root hash is in mvmbuild's own initrd, so a modified disk "
		       "is rejected."},
	{.name = "verify",
		BOOL(struct vm, store_disk.verify),
		.def = "true",
		.doc = "Compare the files of each store path with its recorded hash while the disk "
		       "is made. false, for erofs with the compression none: trust the hashes, and "
		       "read no file whose blocks the disk can share."},
	{0},
};

static const struct option stage1_options[] = {
	{.name = "modules",
		STRINGS(struct vm, stage1.modules),
		.doc = "Further kernel modules for mvmbuild's own initrd to load."},
	{0},
};

static const struct option first_rows[] = {
	{.name = "hostName",
		STRING(struct vm, host_name),
		.shape = &shape_name,
		.longest = HOST_NAME_BYTES,
		.required = true,
		.doc = "Name of the VM: letters, digits, '-', '_' and '.'. It is also the host "
		       "name "
		       "of a guest that has none of its own (Linux 6.0 and later; kernel parameter "
		       "hostname=)."},
	{.name = "toplevel",
		STRING(struct vm, toplevel),
		.base = PATH_FROM_FILE,
		.required = true,
		.unless = "rootfs",
		.arg = "store path",
		.doc = "The system: a store path that contains `init`. The kernel, its modules and "
		       "its parameters are taken from it unless they are given: from its files "
		       "kernel, initrd, kernel-modules, kernel-params and boot.json."},
	{.name = "rootfs",
		STRING(struct vm, rootfs),
		.base = PATH_FROM_FILE,
		.arg = "directory",
		.doc = "The system, in place of toplevel: a directory with a whole Linux "
		       "distribution, such as debootstrap makes or an exported container has. It "
		       "is packed into the store disk with the owners and modes of its files, "
		       "which only root can read. The guest's / is an overlay on it: changes are "
		       "lost when the VM stops, unless a volume has the mountPoint /. The kernel "
		       "and its modules are taken from its /boot and /lib/modules."},
	{.name = "storePaths",
		STRINGS(struct vm, store_paths),
		.base = PATH_FROM_FILE,
		.arg = "store path",
		.doc = "Further store paths for the guest, with everything that they refer to."},
	{.name = "closure",
		STRING(struct vm, closure),
		.base = PATH_FROM_FILE,
		.arg = "path",
		.def_doc = "the calling derivation's structured attributes, else the Nix database, "
			   "else nix-store, else a scan for references",
		.doc = "File that describes the closure: a closureInfo directory, a registration "
		       "or store-paths file, an exportReferencesGraph file, .attrs.json, or "
		       "path-info JSON."},
	{.name = "storeDir",
		STRING(struct vm, store_dir),
		.shape = &shape_store_dir,
		.def = "/nix/store",
		.arg = "path",
		.doc = "The Nix store directory."},
	{.name = "kernel",
		STRING(struct vm, kernel),
		.base = PATH_FROM_FILE,
		.package = true,
		.arg = "path",
		.def_doc = "toplevel/kernel, or the only boot/vmlinuz-* of rootfs",
		.doc = "The kernel's image, or a directory that contains it, such as a kernel "
		       "package of Nix."},
	{.name = "initrd",
		STRING(struct vm, initrd),
		.base = PATH_FROM_FILE,
		.arg = "path",
		.def_doc = "mvmbuild's own initrd",
		.doc = "An initrd to use instead of mvmbuild's own. The word guest means the one "
		       "in "
		       "toplevel."},
	{.name = "initrdPath",
		STRING(struct vm, initrd),
		.base = PATH_FROM_FILE,
		.arg = "path",
		.doc = "An alias of initrd."},
	{.name = "kernelModules",
		STRING(struct vm, kernel_modules),
		.base = PATH_FROM_FILE,
		.arg = "path",
		.def_doc = "toplevel/kernel-modules or lib/modules of rootfs, else the kernel "
			   "package's own",
		.doc = "Directory that contains lib/modules/VERSION, for mvmbuild's own initrd."},
	{.name = "kernelParams",
		STRINGS(struct vm, kernel_params),
		.def_doc = "toplevel/kernel-params",
		.doc = "Kernel parameters, placed after mvmbuild's own. A blank separates "
		       "parameters, except between double quotes: name=\"a b\". Store paths in "
		       "them must be in the closure."},
	{.name = "stage1",
		GROUP(stage1_options),
		.doc = "mvmbuild's own initrd, also called stage 1."},

	{.name = "hypervisor",
		BACKEND(struct vm, hypervisor),
		.def = "qemu",
		.doc = "The hypervisor that the runner starts."},
	{.name = "cpu",
		STRING(struct vm, cpu),
		.shape = &shape_cpu_model,
		.doc = "CPU model to emulate, by QEMU's name; null: the host's own."},
	{.name = "vcpu",
		UINT(struct vm, vcpu, 1, 1024),
		.def = "1",
		.doc = "Number of virtual CPUs."},
	{.name = "mem",
		MIB(struct vm, mem_mib, 1),
		.def = "512",
		.doc = "The guest's memory: a number of MiB, or a string such as 2G."},
	{.name = "hugepageMem",
		BOOL(struct vm, hugepage_mem),
		.def = "false",
		.doc = "Back the memory with huge pages. On qemu, cloud-hypervisor, firecracker, "
		       "kvmtool and stratovirt the host must have reserved them; microvm-check "
		       "reports how many are needed."},
	{.name = "hotplugMem",
		MIB(struct vm, hotplug_mem_mib, 0),
		.def = "0",
		.doc = "Memory that can be added later, with virtio-mem."},
	{.name = "hotpluggedMem",
		MIB(struct vm, hotplugged_mem_mib, 0),
		.def_doc = "hotplugMem",
		.doc = "The part of hotplugMem that the VM has at its start."},
	{.name = "balloon",
		BOOL(struct vm, balloon),
		.def = "false",
		.doc = "A balloon device, with which the host takes memory back."},
	{.name = "initialBalloonMem",
		MIB(struct vm, initial_balloon_mem_mib, 0),
		.def = "0",
		.doc = "Size of the balloon at the start."},
	{.name = "deflateOnOOM",
		BOOL(struct vm, deflate_on_oom),
		.def = "true",
		.doc = "The balloon releases memory before the guest runs out of it."},
	{.name = "machineId",
		STRING(struct vm, machine_id),
		.shape = &shape_uuid,
		.def_doc = "derived from hostName",
		.example = "1f0c1c5e-6a52-4d0b-9d3b-2f9a6f1f7c10",
		.doc = "UUID of the VM, 8-4-4-4-12 hex digits; null: none. The guest reads it from "
		       "SMBIOS. Without SMBIOS (QEMU's machine microvm, aarch64, firecracker, "
		       "kvmtool, stratovirt, alioth, vfkit), an id that is given here is passed as "
		       "the kernel parameter systemd.machine_id=."},
	{.name = "credentialFiles",
		PAIRS(struct vm, credential_files),
		.base = PATH_FROM_STATE,
		.shape = &shape_name,
		.longest = CREDENTIAL_BYTES,
		.arg = "path",
		.example = "{age-key: /run/secrets/age-key}",
		.doc = "systemd credentials: names of at most 28 bytes, and files on the host, "
		       "which are read when the VM starts."},
	{.name = "vsock", GROUP(vsock_options), .doc = "Sockets between host and guest."},
	{.name = "graphics", GROUP(graphics_options), .doc = "A display of the guest."},

	{.name = "storeOnDisk",
		BOOL(struct vm, store_on_disk),
		.def_doc = "true, unless a share contains the host's store",
		.doc = "The guest's store is on a disk of its own."},
	{.name = "storeDisk",
		GROUP(store_disk_options),
		.generated_scalar = true,
		.doc = "The disk that contains the guest's store."},
	{.name = "storeDiskType",
		ENUM(struct vm, store_disk_type, store_type),
		.doc = "Same as storeDisk.type."},
	{.name = "storeDiskErofsFlags",
		STRINGS(struct vm, store_disk_erofs_flags),
		.doc = "Flags for mkfs.erofs: -z, -C and -E with ztailpacking, fragments, "
		       "all-fragments, dedupe. The last three require the engine mkfs.erofs, but "
		       "are ignored in microvm.nix's default, -zlz4hc -Eztailpacking -Efragments."},
	{.name = "storeDiskSquashfsFlags",
		STRINGS(struct vm, store_disk_squashfs_flags),
		.doc = "Flags for gensquashfs: -c, -X level= and -b, which are the same as "
		       "storeDisk.compression, .level and .blockSize; -j and -q are ignored."},
	{.name = "nixDatabase",
		ENUM(struct vm, nix_database, nix_database),
		.def_doc = "prebuilt with mvmbuild's own initrd, else none",
		.doc = "How the guest's Nix learns what is in its store: from a finished database "
		       "(prebuilt), from a registration file that the guest loads (registration), "
		       "or from the host's database, if the store is shared (hostOverlay)."},
	{.name = "registerClosure",
		BOOL(struct vm, register_closure),
		.def = "true",
		.doc = "false means nixDatabase: none."},
	{.name = "writableStoreOverlay",
		STRING(struct vm, writable_store_overlay),
		.shape = &shape_overlay,
		.arg = "path",
		.example = "/nix/.rw-store",
		.doc = "Directory in the guest for a writable layer over the store, such as "
		       "/nix/.rw-store: in memory, or on the volume or virtiofs share that is "
		       "mounted there or above it."},
	{.name = "volumes",
		LIST(struct vm, volumes, struct volume, volume_options),
		.example = "[{image: data.img, mountPoint: /data, size: 2048}]",
		.doc = "Writable disks."},
	{.name = "shares",
		LIST(struct vm, shares, struct share, share_options),
		.example =
			"[{tag: media, source: /srv/media, mountPoint: /media, proto: virtiofs}]",
		.doc = "Directories of the host that the guest can mount."},
	{.name = "interfaces",
		LIST(struct vm, interfaces, struct interface, interface_options),
		.example = "[{type: tap, id: vm-web1, mac: '02:00:00:00:00:01'}]",
		.doc = "Network interfaces."},
	{.name = "forwardPorts",
		LIST(struct vm, forward_ports, struct forward_port, forward_port_options),
		.example = "[{from: host, host: {port: 2222}, guest: {port: 22}}]",
		.doc = "Ports forwarded between host and guest, with an interface of type user."},
	{.name = "devices",
		LIST(struct vm, devices, struct device, device_options),
		.example = "[{bus: pci, path: '0000:01:00.0'}]",
		.doc = "PCI and USB devices of the host that are passed to the guest."},

	{.name = "socket",
		STRING(struct vm, socket),
		.base = PATH_FROM_STATE,
		.shape = &shape_socket,
		.longest = SOCKET_PATH_BYTES,
		.def_doc = "HOSTNAME.sock",
		.arg = "path",
		.doc = "Control socket of the hypervisor; null: no socket, and no "
		       "microvm-shutdown."},
	{.name = "startupTimeout",
		UINT(struct vm, startup_timeout, 1, 86400),
		.def = "150",
		.arg = "seconds",
		.doc = "How long the host's unit waits for a guest to report that it is up "
		       "(vsock.notify). Less than the unit's own TimeoutStartSec=150s has no "
		       "effect."},
	{.name = "shutdownTimeout",
		UINT(struct vm, shutdown_timeout, 1, 86400),
		.def = "120",
		.arg = "seconds",
		.doc = "How long microvm-shutdown, and thus the host's unit, waits for the guest "
		       "to shut down before it is powered off; systemd in the guest gives each of "
		       "its services 90 seconds. If the hypervisor cannot request a shutdown, the "
		       "guest is powered off at once."},
	{.name = "user",
		STRING(struct vm, user),
		.shape = &shape_name,
		.longest = USER_BYTES,
		.doc = "The user that the hypervisor switches to if it is started as root."},
	{.name = "preStart",
		STRING(struct vm, pre_start),
		.def = "''",
		.code = true,
		.doc = "Shell commands that run in the state directory before the hypervisor "
		       "starts, in the same bash: their ulimit, umask, cd and exported variables "
		       "hold for it. If one fails, the VM does not start. Names that begin with "
		       "mvm_ are reserved."},
	{.name = "extraArgsScript",
		STRING(struct vm, extra_args_script),
		.code = true,
		.doc = "A program that prints one line of further arguments when the VM starts."},
	{.name = "binScripts",
		PAIRS(struct vm, bin_scripts),
		.shape = &shape_name,
		.longest = SCRIPT_NAME_BYTES,
		.code = true,
		.doc = "Further scripts for the runner's bin/: names and shell code. One called "
		       "tap-up, tap-down, macvtap-up, macvtap-down or pci-setup replaces "
		       "mvmbuild's; tap-up.after and the like are run at the end of it, and "
		       "virtiofsd-run.before before the shares are served."},
	{.name = "prettyProcnames",
		BOOL(struct vm, pretty_procnames),
		.def = "true",
		.doc = "Name the hypervisor's process microvm@HOSTNAME."},
	{.name = "systemSymlink",
		BOOL(struct vm, system_symlink),
		.def_doc = "true if storeOnDisk is false",
		.doc = "Make share/microvm/system a link to toplevel."},
	{.name = "registerWithMachined",
		BOOL(struct vm, register_with_machined),
		.def = "false",
		.doc = "Register the VM with the host's systemd-machined, with microvm-register "
		       "and microvm-unregister."},
	{.name = "hostSystem",
		ENUM(struct vm, host_system, host_system),
		.def = "native",
		.doc = "The host that runs the VM, if it is of another architecture than the "
		       "machine that builds, or a Mac: then KVM, or hvf, is for guests of that "
		       "architecture, and hostShell, hostPath and all packages must be for that "
		       "host."},
	{.name = "hostShell",
		STRING(struct vm, host_shell),
		.shape = &shape_absolute,
		.def = "/usr/bin/env bash",
		.arg = "path",
		.doc = "The bash that runs the runner's scripts."},
	{.name = "hostUser",
		STRING(struct vm, host_user),
		.shape = &shape_name,
		.longest = USER_BYTES,
		.def = "microvm",
		.doc = "The user that runs the VM on the host and owns its tap and macvtap "
		       "interfaces and PCI devices."},
	{.name = "hostGroup",
		STRING(struct vm, host_group),
		.shape = &shape_name,
		.longest = USER_BYTES,
		.def_doc = "unchanged",
		.doc = "The group of the macvtap interfaces and PCI devices."},
	{.name = "hostPath",
		STRINGS(struct vm, host_path),
		.shape = &shape_search_path,
		.arg = "path",
		.doc = "Directories with the programs that the runner's scripts use (coreutils, "
		       "tar, gzip), prepended to PATH."},
	{.name = "confinement",
		GROUP(confinement_options),
		.doc = "What the hypervisor sees of the host when the VM's unit starts it."},
	{.name = "virtiofsd",
		GROUP(virtiofsd_options),
		.doc = "The daemons behind virtiofs shares."},

	{0},
};

/* Behind the groups of the backends. */
static const struct option last_rows[] = {
	{.name = "guest", GENERATED, .doc = "An option of the guest's NixOS module."},
	{.name = "optimize", GENERATED, .doc = "An option of the guest's NixOS module."},
	{.name = "vmHostPackages",
		GENERATED,
		.doc = "An option of the Nix evaluation; give packages by their paths."},
	{.name = "runner", GENERATED, .doc = "An output of mvmbuild."},
	{.name = "declaredRunner", GENERATED, .doc = "An output of mvmbuild."},
	{.name = "bootDisk", GENERATED, .doc = "An output of mvmbuild."},
	{.name = "balloonMem",
		.kind = OPTION_NONE,
		.state = OPTION_REMOVED,
		.doc = "use balloon: true, and initialBalloonMem"},
	{0},
};

static const char *const *backend_names(struct arena *arena)
{
	struct strings names = {0};
	for (const struct backend *const *backend = backends; *backend; backend++)
		vec_push(arena, &names, (*backend)->name);
	vec_push(arena, &names, NULL);
	return names.v;
}

/* One group for each backend, with a structure of its own: vm->own. */
static size_t add_backends(struct arena *arena, struct option *table)
{
	size_t n = 0;
	for (; backends[n]; n++)
		table[n] = (struct option){
			.name = backends[n]->name,
			.kind = OPTION_GROUP,
			.offset =
				offsetof(struct vm, own) + n * sizeof(struct hypervisor_options *),
			.stride = backends[n]->options_bytes,
			.sub = backends[n]->options,
			.doc = arena_printf(arena, "%s.", backends[n]->title),
		};
	return n;
}

const struct option *vm_options(struct arena *arena)
{
	const size_t first = countof(first_rows) - 1;
	struct option *table = arena_alloc(
		arena, sizeof first_rows + sizeof last_rows + BACKENDS_MAX * sizeof *table);
	memcpy(table, first_rows, sizeof first_rows);
	for (struct option *row = table; row->name; row++)
		if (row->kind == OPTION_BACKEND)
			row->choices = backend_names(arena);
	memcpy(table + first + add_backends(arena, table + first), last_rows, sizeof last_rows);
	return table;
}
