/* SPDX-License-Identifier: MIT */
#include "backends/interface/choices.h"

#include <stddef.h>

const char *const image_type_names[] = {
	[IMAGE_RAW] = "raw",
	[IMAGE_QCOW2] = "qcow2",
	[IMAGE_VHD] = "vhd",
	[IMAGE_VHDX] = "vhdx",
	NULL,
};

const char *const interface_type_names[] = {
	[INTERFACE_USER] = "user",
	[INTERFACE_TAP] = "tap",
	[INTERFACE_MACVTAP] = "macvtap",
	[INTERFACE_BRIDGE] = "bridge",
	[INTERFACE_REFUSED] = NULL,
};

const char *const macvtap_mode_names[] = {
	[MACVTAP_PRIVATE] = "private",
	[MACVTAP_VEPA] = "vepa",
	[MACVTAP_BRIDGE] = "bridge",
	[MACVTAP_PASSTHRU] = "passthru",
	[MACVTAP_SOURCE] = "source",
	[MACVTAP_NO_MODE] = NULL,
};

const char *const share_proto_names[] = {
	[SHARE_9P] = "9p",
	[SHARE_VIRTIOFS] = "virtiofs",
	NULL,
};

const char *const security_model_names[] = {
	[SECURITY_PASSTHROUGH] = "passthrough",
	[SECURITY_NONE] = "none",
	[SECURITY_MAPPED] = "mapped",
	[SECURITY_MAPPED_FILE] = "mapped-file",
	NULL,
};

const char *const share_cache_names[] = {
	[CACHE_AUTO] = "auto",
	[CACHE_ALWAYS] = "always",
	[CACHE_METADATA] = "metadata",
	[CACHE_NEVER] = "never",
	NULL,
};

const char *const forward_from_names[] = {
	[FROM_HOST] = "host",
	[FROM_GUEST] = "guest",
	NULL,
};

const char *const transport_names[] = {
	[TRANSPORT_TCP] = "tcp",
	[TRANSPORT_UDP] = "udp",
	NULL,
};

const char *const device_bus_names[] = {
	[BUS_PCI] = "pci",
	[BUS_USB] = "usb",
	[BUS_REFUSED] = NULL,
};

const char *const display_names[] = {
	[DISPLAY_GTK] = "gtk",
	[DISPLAY_COCOA] = "cocoa",
	[DISPLAY_HEADLESS] = "headless",
	NULL,
};

const char *const vulkan_names[] = {
	[VULKAN_VENUS] = "venus",
	[VULKAN_DRM] = "drm_native_context",
	[NO_VULKAN] = NULL,
};

const char *const inode_file_handles_names[] = {
	[HANDLES_NEVER] = "never",
	[HANDLES_PREFER] = "prefer",
	[HANDLES_MANDATORY] = "mandatory",
	NULL,
};

const char *const store_type_names[] = {
	[STORE_SQUASHFS] = "squashfs",
	[STORE_EROFS] = "erofs",
	[STORE_TYPE_OPEN] = NULL,
};

const char *const host_system_names[] = {
	[HOST_NATIVE] = "native",
	[HOST_X86_64] = "x86_64-linux",
	[HOST_AARCH64] = "aarch64-linux",
	[HOST_MAC_X86_64] = "x86_64-darwin",
	[HOST_MAC_AARCH64] = "aarch64-darwin",
	NULL,
};

bool host_is_mac(enum host_system system)
{
	return system == HOST_MAC_X86_64 || system == HOST_MAC_AARCH64;
}

const char *const store_engine_names[] = {
	[ENGINE_LINKED] = "linked",
	[ENGINE_MKSQUASHFS] = "mksquashfs",
	[ENGINE_MKFS_EROFS] = "mkfs.erofs",
	NULL,
};

const char *const store_link_names[] = {
	[LINK_BUILD] = "build",
	[LINK_HOST] = "host",
	NULL,
};

const char *const store_device_names[] = {
	[STORE_BLOCK] = "block",
	[STORE_PMEM] = "pmem",
	NULL,
};

const char *const compression_names[] = {
	[COMPRESSION_ZSTD] = "zstd",
	[COMPRESSION_LZ4] = "lz4",
	[COMPRESSION_LZ4HC] = "lz4hc",
	[COMPRESSION_DEFLATE] = "deflate",
	[COMPRESSION_LZMA] = "lzma",
	[COMPRESSION_GZIP] = "gzip",
	[COMPRESSION_LZO] = "lzo",
	[COMPRESSION_XZ] = "xz",
	[COMPRESSION_NONE] = "none",
	[COMPRESSION_OPEN] = NULL,
};

const char *const nix_database_names[] = {
	[NIX_DATABASE_PREBUILT] = "prebuilt",
	[NIX_DATABASE_REGISTRATION] = "registration",
	[NIX_DATABASE_HOST_OVERLAY] = "hostOverlay",
	[NIX_DATABASE_NONE] = "none",
	[NIX_DATABASE_OPEN] = NULL,
};
