/* SPDX-License-Identifier: MIT */
/*
 * vm: the typed description of one microVM, which passes and backends share. Fields are named after
 * the options.
 */
#ifndef MVM_BACKENDS_INTERFACE_VM_H
#define MVM_BACKENDS_INTERFACE_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/interface/choices.h"
#include "base/arena.h"
#include "base/diag.h"

struct backend;
struct node;
struct places;

struct pair {
	const char *key, *value;
};

/* Sorted by key. */
struct pairs {
	struct pair *v;
	size_t n, capacity;
};

/* Every element of a list starts with its position in the source. */
struct volume {
	struct pos where;
	const char *image; /* absolute, or relative to the state directory */
	const char *serial;
	bool direct;
	bool read_only;
	const char *label;
	const char *mount_point; /* NULL: not mounted */
	uint64_t size_mib;       /* 0: not given */
	bool auto_create;
	struct strings mkfs_extra_args;
	const char *fs_type;
	enum image_type image_type;
};

struct interface {
	struct pos where;
	enum interface_type type;
	const char *id;
	struct {
		const char *link;
		enum macvtap_mode mode;
	} macvtap;
	const char *bridge;
	const char *mac;
	struct {
		bool vhost;
	} tap;
};

struct share {
	struct pos where;
	const char *tag, *socket, *source;
	enum security_model security_model;
	const char *mount_point;
	enum share_proto proto;
	bool read_only;
	/*
	 * the host's store or its database, if the guest could reach it through this share; else
	 * NULL
	 */
	const char *host_store;
	enum share_cache cache;
	bool posix_acl;
	bool dax; /* the guest maps the host's pages; the hypervisor itself serves the share */
	struct strings extra_args;
};

struct endpoint {
	const char *address;
	int64_t port;
};

struct forward_port {
	struct pos where;
	enum forward_from from;
	enum transport proto;
	struct endpoint host, guest;
};

struct device {
	struct pos where;
	enum device_bus bus;
	const char *path;
	struct {
		const char *id, *bus, *device_extra_args;
	} qemu;
};

struct pcie_root_port {
	struct pos where;
	const char *id, *bus;
	int64_t chassis; /* -1: not given */
	const char *slot, *addr;
};

/* Options that every hypervisor has; the first member of a backend's own structure of options. */
struct hypervisor_options {
	const char *package;
	const char *version; /* "51", "9.1"; NULL: the current one */
	struct strings extra_args;
	/* empty without FEATURE_ROOT_PORTS */
	struct {
		struct pcie_root_port *v;
		size_t n;
	} pcie_root_ports;
};

enum { BACKENDS_MAX = 16 };

struct vsock {
	int64_t cid; /* -1: no vsock */
	bool notify;
	struct {
		bool enable;
	} ssh;
};

struct graphics {
	bool enable;
	enum display backend;
	const char *socket;
	enum vulkan vulkan;
	const char *hostmem, *crosvm_package;
};

struct vm {
	/* the system */
	const char *host_name;
	const char *toplevel;
	const char *rootfs; /* NULL: the system is `toplevel` */
	struct strings store_paths;
	const char *closure, *store_dir;
	const char *kernel, *initrd, *kernel_modules;
	/* all of these paths as they were given, before links were followed; not an option */
	struct strings named_paths;
	struct strings kernel_params;
	struct {
		struct strings modules;
	} stage1;

	/* the machine */
	const struct backend *hypervisor;
	const char *cpu; /* NULL: the host's CPU */
	uint64_t vcpu;
	uint64_t mem_mib;
	bool hugepage_mem;
	uint64_t hotplug_mem_mib, hotplugged_mem_mib;
	bool balloon;
	uint64_t initial_balloon_mem_mib;
	bool deflate_on_oom;
	const char *machine_id; /* 8-4-4-4-12 hex digits; NULL: none */
	struct pairs credential_files;
	struct vsock vsock;
	struct graphics graphics;

	/* storage, network, devices */
	bool store_on_disk;
	struct {
		enum store_type type;
		enum compression compression;
		enum store_engine engine;
		enum store_device device;
		enum store_link link;
		int64_t level;      /* 0: our default for the compressor */
		int64_t block_size; /* bytes */
		bool verity;
		bool verify;
		bool tail_packing;            /* the rest is from flags: */
		struct strings mkfs_features; /* of mkfs.erofs: fragments and the like */
		/* position of the compression; NULL: not given */
		const struct pos *compression_where;
		bool direct;
	} store_disk;
	enum store_type store_disk_type; /* store_disk.type under microvm.nix's name */
	struct strings store_disk_erofs_flags, store_disk_squashfs_flags;
	enum nix_database nix_database;
	bool register_closure;
	const char *writable_store_overlay;
	struct {
		struct volume *v;
		size_t n;
	} volumes;
	struct {
		struct share *v;
		size_t n;
	} shares;
	struct {
		struct interface *v;
		size_t n;
	} interfaces;
	struct {
		struct forward_port *v;
		size_t n;
	} forward_ports;
	struct {
		struct device *v;
		size_t n;
	} devices;

	/* the host */
	const char *socket;                         /* control socket; NULL: none */
	uint64_t startup_timeout, shutdown_timeout; /* seconds */
	const char *user;
	const char *pre_start, *extra_args_script;
	struct pairs bin_scripts;
	enum host_system host_system;
	const char *host_shell;
	const char *host_user, *host_group;
	struct strings host_path;
	bool pretty_procnames;
	bool system_symlink;
	bool register_with_machined;
	struct {
		bool enable;
		struct strings read_only_paths, paths;
	} confinement;
	struct {
		enum inode_file_handles inode_file_handles;
		const char *thread_pool_size, *group, *package;
		struct strings extra_args;
	} virtiofsd;

	/*
	 * The options of all backends, even those not selected, in the registry's order. Each
	 * points to the first member of the backend's own structure.
	 */
	struct hypervisor_options *own[BACKENDS_MAX];

	struct places *places; /* positions of all fields: vm_where */
};

/* Returns the position of a field (its address inside the vm); NULL if it has its default. */
const struct pos *vm_where(const struct vm *vm, const void *field);
/*
 * Whether the value of a field was refused, or is required and missing. The field is then
 * meaningless, and may be NULL.
 */
bool vm_refused(const struct vm *vm, const void *field);

#endif
