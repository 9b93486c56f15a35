/* SPDX-License-Identifier: MIT */
/*
 * choices: options with a fixed set of values. Each enum has a table of the names used in
 * descriptions, in the enum's order, which ends with NULL. If an option without a default is not
 * given, or was refused, its field has the enum's last value, whose name is that NULL.
 */
#ifndef MVM_BACKENDS_INTERFACE_CHOICES_H
#define MVM_BACKENDS_INTERFACE_CHOICES_H

#include <stdbool.h>

enum image_type { IMAGE_RAW, IMAGE_QCOW2, IMAGE_VHD, IMAGE_VHDX };
extern const char *const image_type_names[];

enum interface_type {
	INTERFACE_USER,
	INTERFACE_TAP,
	INTERFACE_MACVTAP,
	INTERFACE_BRIDGE,
	INTERFACE_REFUSED,
};
extern const char *const interface_type_names[];

enum macvtap_mode {
	MACVTAP_PRIVATE,
	MACVTAP_VEPA,
	MACVTAP_BRIDGE,
	MACVTAP_PASSTHRU,
	MACVTAP_SOURCE,
	MACVTAP_NO_MODE,
};
extern const char *const macvtap_mode_names[];

enum share_proto { SHARE_9P, SHARE_VIRTIOFS };
extern const char *const share_proto_names[];

enum security_model { SECURITY_PASSTHROUGH, SECURITY_NONE, SECURITY_MAPPED, SECURITY_MAPPED_FILE };
extern const char *const security_model_names[];

enum share_cache { CACHE_AUTO, CACHE_ALWAYS, CACHE_METADATA, CACHE_NEVER };
extern const char *const share_cache_names[];

/* The end that accepts the forwarded connections. */
enum forward_from { FROM_HOST, FROM_GUEST };
extern const char *const forward_from_names[];

enum transport { TRANSPORT_TCP, TRANSPORT_UDP };
extern const char *const transport_names[];

enum device_bus { BUS_PCI, BUS_USB, BUS_REFUSED };
extern const char *const device_bus_names[];

enum display { DISPLAY_GTK, DISPLAY_COCOA, DISPLAY_HEADLESS };
extern const char *const display_names[];

enum vulkan { VULKAN_VENUS, VULKAN_DRM, NO_VULKAN };
extern const char *const vulkan_names[];

enum inode_file_handles { HANDLES_NEVER, HANDLES_PREFER, HANDLES_MANDATORY };
extern const char *const inode_file_handles_names[];

/* HOST_NATIVE: the system that builds. */
enum host_system { HOST_NATIVE, HOST_X86_64, HOST_AARCH64, HOST_MAC_X86_64, HOST_MAC_AARCH64 };
extern const char *const host_system_names[];
bool host_is_mac(enum host_system system);

enum store_type { STORE_SQUASHFS, STORE_EROFS, STORE_TYPE_OPEN };
extern const char *const store_type_names[];

enum store_engine { ENGINE_LINKED, ENGINE_MKSQUASHFS, ENGINE_MKFS_EROFS };
extern const char *const store_engine_names[];

/* LINK_HOST: the disk is linked on the host that runs the VM. */
enum store_link { LINK_BUILD, LINK_HOST };
extern const char *const store_link_names[];

enum store_device { STORE_BLOCK, STORE_PMEM };
extern const char *const store_device_names[];

enum compression {
	COMPRESSION_ZSTD,
	COMPRESSION_LZ4,
	COMPRESSION_LZ4HC,
	COMPRESSION_DEFLATE,
	COMPRESSION_LZMA,
	COMPRESSION_GZIP,
	COMPRESSION_LZO,
	COMPRESSION_XZ,
	COMPRESSION_NONE,
	COMPRESSION_OPEN,
};
extern const char *const compression_names[];

enum nix_database {
	NIX_DATABASE_PREBUILT,
	NIX_DATABASE_REGISTRATION,
	NIX_DATABASE_HOST_OVERLAY,
	NIX_DATABASE_NONE,
	NIX_DATABASE_OPEN,
};
extern const char *const nix_database_names[];

#endif
