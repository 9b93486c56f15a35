/* SPDX-License-Identifier: MIT */
#include "compiler/runner/host_facts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backends/interface/parts.h"
#include "base/buf.h"
#include "base/file.h"
#include "compiler/runner/unit_conf.h"

struct facts {
	struct arena *arena;
	struct diag *diag;
	const struct plan *plan;
	const char *directory; /* RUNNER/share/microvm */
};

static bool put(const struct facts *facts, const char *name, const char *text)
{
	return file_write(facts->diag, path_join(facts->arena, facts->directory, name), text,
		strlen(text), 0444);
}

/* Writes a file unless its text is empty. */
static bool put_if_any(const struct facts *facts, const char *name, const struct buf *text)
{
	return text->n == 0 || put(facts, name, buf_text(text));
}

static bool put_interfaces(const struct facts *facts)
{
	const struct vm *vm = facts->plan->vm;
	BUF_CLEANUP struct buf taps = {0};
	BUF_CLEANUP struct buf macvtaps = {0};
	for (size_t i = 0; i < vm->interfaces.n; i++) {
		const struct interface *interface = &vm->interfaces.v[i];
		switch (interface->type) {
		case INTERFACE_TAP:
			buf_printf(&taps, "%s\n", interface->id);
			break;
		case INTERFACE_MACVTAP:
			buf_printf(&macvtaps, "%s %s %s %s\n", interface->id, interface->mac,
				interface->macvtap.link,
				macvtap_mode_names[interface->macvtap.mode]);
			break;
		case INTERFACE_USER:
		case INTERFACE_BRIDGE:
		case INTERFACE_REFUSED:
			break; /* the hypervisor makes them */
		}
	}
	return put(facts, "tap-flags",
		       facts->plan->tap_multi_queue ? "vnet_hdr\nmulti_queue\n" : "vnet_hdr\n") &&
		put_if_any(facts, "tap-interfaces", &taps) &&
		put_if_any(facts, "macvtap-interfaces", &macvtaps);
}

static bool put_shares(const struct facts *facts)
{
	const struct guest *guest = &facts->plan->guest;
	for (size_t i = 0; i < guest->nshares; i++) {
		const struct share *share = guest->shares[i];
		const char *name = arena_printf(facts->arena, "virtiofs/%s", share->tag);
		if (!share_has_daemon(share))
			continue;
		if (!directory_make(
			    facts->diag, path_join(facts->arena, facts->directory, name), 0755) ||
			!put(facts, arena_printf(facts->arena, "%s/socket", name),
				arena_printf(facts->arena, "%s\n", share->socket)) ||
			!put(facts, arena_printf(facts->arena, "%s/source", name),
				arena_printf(facts->arena, "%s\n", share->source)))
			return false;
	}
	return true;
}

static bool put_devices(const struct facts *facts)
{
	const struct vm *vm = facts->plan->vm;
	for (enum device_bus bus = 0; bus < BUS_REFUSED; bus++) {
		BUF_CLEANUP struct buf text = {0};
		for (size_t i = 0; i < vm->devices.n; i++)
			if (vm->devices.v[i].bus == bus)
				buf_printf(&text, "%s\n", vm->devices.v[i].path);
		if (!put_if_any(facts,
			    arena_printf(facts->arena, "%s-devices", device_bus_names[bus]), &text))
			return false;
	}
	return true;
}

static bool put_system(const struct facts *facts)
{
	const char *path = path_join(facts->arena, facts->directory, "system");
	if (!facts->plan->vm->system_symlink || symlink(facts->plan->system.toplevel, path) == 0)
		return true;
	return diag_error(facts->diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot create the link %s: %s", path, strerror(errno));
}

/* The file makes the host's unit wait until the guest reports its startup. */
static bool put_notify(const struct facts *facts)
{
	return !facts->plan->lowered.notify || put(facts, "notify", "");
}

static bool put_unit_conf(const struct facts *facts)
{
	const char *text = unit_conf(facts->arena, facts->plan);
	return !text || put(facts, "unit.conf", text);
}

static bool put_cid(const struct facts *facts)
{
	const int64_t cid = facts->plan->vm->vsock.cid;
	return cid < 0 ||
		put(facts, "vsock-cid", arena_printf(facts->arena, "%lld\n", (long long)cid));
}

bool facts_write(
	struct arena *arena, struct diag *diag, const struct plan *plan, const char *runner)
{
	const struct facts facts = {arena, diag, plan, path_join(arena, runner, RUNNER_SHARE)};
	if (!put(&facts, "hypervisor", arena_printf(arena, "%s\n", plan->backend->name)))
		return false;
	if (!put(&facts, "host-user", arena_printf(arena, "%s\n", plan->vm->host_user)))
		return false;
	if (!put_interfaces(&facts))
		return false;
	if (!put_shares(&facts))
		return false;
	if (!put_devices(&facts))
		return false;
	if (!put_cid(&facts))
		return false;
	if (!put_notify(&facts))
		return false;
	if (!put_unit_conf(&facts))
		return false;
	return put_system(&facts);
}
