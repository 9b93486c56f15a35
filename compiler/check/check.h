/* SPDX-License-Identifier: MIT */
/*
 * check: checks a description as a whole. All checks run, whatever the others find.
 *
 * To add a check, write a function in the file of its noun, check_NOUN.c, add it below and to the
 * table in check.c, and add a case for its error code in tests/golden/errors. Rules about one
 * element are called by check_volume, check_interface or check_share.
 */
#ifndef MVM_COMPILER_CHECK_CHECK_H
#define MVM_COMPILER_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/storage/store_mount.h"

struct json_object;

/*
 * Returns why each hypervisor cannot run the VM: {"qemu": [], "firecracker": ["shares[0]: …"]}; an
 * empty list means that it can. The caller releases the object.
 */
struct json_object *vm_matrix(
	struct arena *arena, const struct vm *vm, const struct storage *storage);

/* Checks everything that needs only the description, without reading files of this machine. */
bool vm_check(
	struct arena *arena, struct diag *diag, const struct vm *vm, const struct storage *storage);

/* ---- for the checks ---- */

struct checker {
	struct arena *arena;
	struct diag *diag;
	const struct vm *vm;
	const struct storage *storage; /* derived from `vm` */
	const struct backend *backend; /* NULL: the hypervisor was refused */
	/* for `backend`; of what was refused a part is missing */
	struct guest guest;
};

#define check_error(checker, where, code, ...) \
	diag_error((checker)->diag, STATUS_DESCRIPTION, (where), (code), __VA_ARGS__)

/*
 * Whether none of these fields was refused. Checking a refused field would report a follow-up
 * error, or find NULL.
 */
#define check_accepted(checker, ...) \
	check_all_accepted((checker)->vm, (const void *const[]){__VA_ARGS__, NULL})
bool check_all_accepted(const struct vm *vm, const void *const *fields);

/* Returns where a field of an element was written, or the element's own position. */
const struct pos *check_position(
	const struct checker *checker, const void *field, const struct pos *element);

/* A value that must be unique. */
struct claim {
	const char *value;
	struct pos where, element;
};

struct claims {
	struct claim *v;
	size_t n, capacity;
};

/* Claims a value only if the description contains it: derived values differ if their origins do. */
void check_claim(const struct checker *checker, struct claims *claims, const char *value,
	const void *field, const struct pos *element);
/* Claims a value that follows from the option at `where`. */
void check_claim_derived(const struct checker *checker, struct claims *claims, const char *value,
	const struct pos *where);
/* `what` names the kind of value: "mount point". */
void check_unique(const struct checker *checker, struct claims *claims, const char *what);

/* check_mounts.c: mount points in the guest, and the store's writable layer */
/* `what` is a volume or a share: "volumes[0]". */
void check_mount_point(const struct checker *checker, const struct pos *where, const char *what,
	const char *point);
void check_store_overlay(const struct checker *checker);

/* check_machine.c */
void check_memory(const struct checker *checker);
void check_hotplug(const struct checker *checker);
void check_vsock(const struct checker *checker);
void check_credentials(const struct checker *checker);
void check_parameters(const struct checker *checker);
/* check_host.c: options of the host and the runner */
void check_bin_scripts(const struct checker *checker);
void check_extra_args(const struct checker *checker);
void check_host_path(const struct checker *checker);
/* check_store.c: the store and its disk */
void check_rootfs(const struct checker *checker);
void check_store_disk(const struct checker *checker);
void check_store(const struct checker *checker);
/* check_nix_database.c */
void check_nix_database(const struct checker *checker);
/* check_volumes.c */
void check_volumes(const struct checker *checker);
/* check_state.c: names in the state directory */
void check_state(const struct checker *checker);
/* check_interfaces.c: the network */
void check_interfaces(const struct checker *checker);
void check_forward_ports(const struct checker *checker);
/* check_shares.c */
void check_shares(const struct checker *checker);
/* check_devices.c */
void check_devices(const struct checker *checker);
/* check_capabilities.c: the hypervisor's capabilities and its own rules */
void check_capabilities(const struct checker *checker);
/* Compares two positions in one description, for qsort: -1, 0 or 1. */
int check_compare_positions(const struct pos *a, const struct pos *b);

#endif
