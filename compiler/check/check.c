/* SPDX-License-Identifier: MIT */
#include "compiler/check/check.h"

#include "compiler/check/checks.h"
#include "compiler/storage/guest.h"

/* The order is that of the error messages. */
static void (*const checks[])(const struct checker *) = {
	check_host_name,
	check_store_dir,
	check_machine_id,
	check_memory,
	check_hotplug,
	check_graphics,
	check_versions,
	check_socket,
	check_user,
	check_vsock,
	check_credentials,
	check_parameters,
	check_bin_scripts,
	check_host_path,
	check_store_disk,
	check_store,
	check_store_overlay,
	check_nix_database,
	check_volumes,
	check_interfaces,
	check_forward_ports,
	check_shares,
	check_virtiofsd,
	check_state,
	check_devices,
	check_capabilities,
};

bool vm_check(
	struct arena *arena, struct diag *diag, const struct vm *vm, const struct storage *storage)
{
	struct checker checker = {arena, diag, vm, storage, vm->hypervisor, {0}};
	if (checker.backend)
		guest_lower(arena, vm, storage, checker.backend, &checker.guest);
	size_t before = diag_error_count(diag);
	for (size_t i = 0; i < countof(checks); i++)
		checks[i](&checker);
	return diag_error_count(diag) == before;
}
