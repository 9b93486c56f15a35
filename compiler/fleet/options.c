/* SPDX-License-Identifier: MIT */
#include "compiler/describe/option_rows.h"
#include "compiler/fleet/fleet.h"

static const struct option fleet_vm_options[] = {
	{.name = "config",
		TREE(struct fleet_vm, config),
		.doc = "The VM's description, as it would stand in a file of its own; hostName is "
		       "the VM's name when it says none."},
	{.name = "source",
		STRING(struct fleet_vm, source),
		.arg = "path",
		.doc = "Instead: a file with the description, relative to the host's file."},
	{.name = "updateFrom",
		STRING(struct fleet_vm, update_from),
		.doc = "With source: what `microvm -u` builds from later, a description (absolute) "
		       "or a flake reference. Such a VM is installed once and then left to the "
		       "command."},
	{.name = "autostart",
		BOOL(struct fleet_vm, autostart),
		.def = "true",
		.doc = "It starts with the host."},
	{.name = "restartIfChanged",
		BOOL(struct fleet_vm, restart_if_changed),
		.def_doc = "true with config, false with source",
		.doc = "A running VM is restarted when another runner is installed."},
	{0},
};

const struct option fleet_options[] = {
	{.name = "vms",
		MAP(struct fleet, vms, struct fleet_vm, fleet_vm_options),
		.doc = "The VMs, by their names."},
	{.name = "stateDir",
		STRING(struct fleet, state_dir),
		.def = "/var/lib/microvms",
		.arg = "path",
		.doc = "Where the VMs' state is on the host."},
	{.name = "user",
		STRING(struct fleet, user),
		.def = "microvm",
		.doc = "The host's user that runs the VMs."},
	{.name = "group",
		STRING(struct fleet, group),
		.def = "microvm",
		.doc = "Its group, that of the VMs' directories: nobody else should be in it. Who "
		       "may use KVM is in the group kvm."},
	{0},
};
