/* SPDX-License-Identifier: MIT */
#include "compiler/runner/script.h"

#include <string.h>

#include "compiler/runner/script_text.h"
#include "compiler/storage/storage.h"

static const char *script_host(struct arena *arena, const struct plan *plan, const char *name,
	const struct strings *arguments)
{
	const struct hole holes[] = {
		{"place", script_part(arena, "place")},
		{"arguments", script_words(arena, arguments)},
		{"seconds",
			arena_printf(
				arena, "%llu", (unsigned long long)plan->vm->shutdown_timeout)},
		{NULL, NULL},
	};
	return script_fill(arena, plan, name, holes);
}

static const char *script_shutdown(struct arena *arena, const struct plan *plan)
{
	return plan->lowered.shutdown.n
		? script_host(arena, plan, "microvm-shutdown", &plan->lowered.shutdown)
		: NULL;
}

static const char *script_balloon(struct arena *arena, const struct plan *plan)
{
	return plan->lowered.balloon.n
		? script_host(arena, plan, "microvm-balloon", &plan->lowered.balloon)
		: NULL;
}

const char *script_macos_host(struct arena *arena, const struct plan *plan)
{
	return script_fill(arena, plan, "mvm-host-macos", &(const struct hole){NULL, NULL});
}

static const char *script_custom(struct arena *arena, const struct plan *plan, const char *text)
{
	return arena_printf(arena, "#!%s\n%s%s", plan->vm->host_shell, text,
		*text && text[strlen(text) - 1] == '\n' ? "" : "\n");
}

static const char *script_link(struct arena *arena, const struct plan *plan)
{
	const struct hole holes[] = {
		{"name", script_quoted(arena, plan->vm->host_name)},
		{NULL, NULL},
	};
	return storage_disk_on_host(plan->vm) ? script_fill(arena, plan, "microvm-link", holes)
					      : NULL;
}

/* `make` returns NULL if this VM has no such script. */
static const struct {
	const char *name;
	const char *(*make)(struct arena *arena, const struct plan *plan);
} all[] = {
	{"microvm-run", script_run},
	{"microvm-shutdown", script_shutdown},
	{"microvm-balloon", script_balloon},
	{"microvm-check", script_check},
	{"microvm-link", script_link},
	{"tap-up", script_tap_up},
	{"tap-down", script_tap_down},
	{"macvtap-up", script_macvtap_up},
	{"macvtap-down", script_macvtap_down},
	{"pci-setup", script_pci_setup},
	{"microvm-register", script_register},
	{"microvm-unregister", script_unregister},
	{"virtiofsd-run", script_virtiofsd},
};

/* A custom virtiofsd-run is ignored: microvm-run depends on ours. */
static bool is_ours_alone(const char *name)
{
	return strcmp(name, "virtiofsd-run") == 0;
}

/*
 * microvm.nix defines scripts such as tap-up as binScripts, so an exported description contains
 * them.
 */
static bool is_custom(const struct pairs *custom, const char *name)
{
	for (size_t i = 0; i < custom->n; i++)
		if (strcmp(custom->v[i].key, name) == 0)
			return true;
	return false;
}

void scripts_make(struct arena *arena, const struct plan *plan, struct runner_scripts *scripts)
{
	const struct pairs *custom = &plan->vm->bin_scripts;
	*scripts = (struct runner_scripts){0};
	for (size_t i = 0; i < countof(all); i++) {
		const char *text = is_custom(custom, all[i].name) && !is_ours_alone(all[i].name)
			? NULL
			: all[i].make(arena, plan);
		if (text)
			vec_push(arena, scripts, (struct runner_script){all[i].name, text});
	}
	for (size_t i = 0; i < custom->n; i++)
		if (!is_ours_alone(custom->v[i].key) && !script_is_addition(custom->v[i].key))
			vec_push(arena, scripts,
				(struct runner_script){custom->v[i].key,
					script_custom(arena, plan, custom->v[i].value)});
}
