/* SPDX-License-Identifier: MIT */
#include "backends/interface/option_rows.h"
#include "compiler/describe/options.h"
#include "compiler/fleet/fleet.h"

static const struct option fleet_vm_options[] = {
	{.name = "config",
		TREE(struct fleet_vm, config),
		.doc = "The VM's description, as in a file of its own. hostName defaults to the "
		       "VM's name."},
	{.name = "source",
		STRING(struct fleet_vm, source),
		.arg = "path",
		.doc = "Alternative to config: a file with the description, relative to the host's "
		       "file."},
	{.name = "updateFrom",
		STRING(struct fleet_vm, update_from),
		.doc = "With source: the description (an absolute path) or flake reference from "
		       "which `microvm -u` builds updates. Such a VM is installed once; later, "
		       "only that command changes it."},
	{.name = "autostart",
		BOOL(struct fleet_vm, autostart),
		.def = "true",
		.doc = "Whether the VM starts with the host."},
	{.name = "restartIfChanged",
		BOOL(struct fleet_vm, restart_if_changed),
		.def_doc = "true with config, false with source",
		.doc = "Whether a running VM is restarted when a different runner is installed."},
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
		.doc = "The directory of the VMs' state on the host."},
	{.name = "user",
		STRING(struct fleet, user),
		.def = "microvm",
		.doc = "The user on the host that runs the VMs."},
	{.name = "group",
		STRING(struct fleet, group),
		.def = "microvm",
		.doc = "The group of that user and of the VMs' directories; it should have no "
		       "other members. Access to KVM is granted by the group kvm."},
	{0},
};
