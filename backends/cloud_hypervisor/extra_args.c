/* SPDX-License-Identifier: MIT */
#include "backends/cloud_hypervisor/extra_args.h"

#include <string.h>

#include "backends/interface/parts.h"

/*
 * The value of an option in "--option value" or "--option=value"; NULL for another argument. Sets
 * *used to the number of arguments.
 */
static const char *option_value(
	const struct strings *arguments, size_t i, const char *option, size_t *used)
{
	const char *text = arguments->v[i];
	size_t length = strlen(option);
	*used = 1;
	if (strncmp(text, option, length) != 0)
		return NULL;
	if (text[length] == '=')
		return text + length + 1;
	*used = 2;
	return text[length] == '\0' && i + 1 < arguments->n ? arguments->v[i + 1] : NULL;
}

const char *ch_join(struct arena *arena, const char *a, const char *b)
{
	return a && b && *a && *b ? arena_printf(arena, "%s,%s", a, b) : a && *a ? a : b;
}

struct ch_extra ch_extra_read(struct arena *arena, const struct strings *arguments)
{
	struct ch_extra extra = {0};
	const struct {
		const char *option, **value;
		bool ours; /* removed from the rest */
	} options[] = {
		{"--cpus", &extra.cpus, true},
		{"--platform", &extra.platform, true},
		{"--vsock", &extra.vsock, true},
		{"--console", &extra.console, false},
		{"--serial", &extra.serial, false},
		{"--seccomp", &extra.seccomp, false},
	};
	for (size_t i = 0, used = 1; i < arguments->n; i += used) {
		bool taken = false;
		used = 1;
		for (size_t k = 0; k < countof(options); k++) {
			size_t count;
			const char *value = option_value(arguments, i, options[k].option, &count);
			if (!value)
				continue;
			*options[k].value =
				options[k].ours ? ch_join(arena, *options[k].value, value) : value;
			taken = options[k].ours;
			used = count;
		}
		for (size_t k = 0; !taken && k < used; k++)
			vec_push(arena, &extra.rest, arguments->v[i + k]);
	}
	return extra;
}

const char *ch_value_of(struct arena *arena, const char *text, const char *key)
{
	size_t length = strlen(key);
	while (text) {
		if (strncmp(text, key, length) == 0 && text[length] == '=')
			return arena_strndup(
				arena, text + length + 1, strcspn(text + length + 1, ","));
		text = strchr(text, ',');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

#define extra_args_error(diag, where, ...) \
	diag_error((diag), STATUS_DESCRIPTION, (where), "bad-extra-args", __VA_ARGS__)

/*
 * Options with several values may be repeated up to version 35, and again since 52
 * (release-notes.md). An own --seccomp replaces ours.
 */
static void check_repeated(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	const char *version = guest->options->version;
	const bool once = version_at_least(version, 36, 0) && !version_at_least(version, 52, 0);
	const struct single_option options[] = {
		{"--kernel", "kernel", true},
		{"--initramfs", "initrd", true},
		{"--cmdline", "kernelParams", true},
		{"--memory", "mem", true},
		{"--balloon", "balloon", guest->balloon},
		{"--api-socket", "socket", guest->socket != NULL},
		{"--gpu", "graphics", guest->graphics.enable},
		{"--disk", "volumes, and the store disk", once && guest->ndisks},
		{"--fs", "shares", once && guest->nshares},
		{"--net", "interfaces", once && guest->nnics},
		{"--device", "devices", once && guest->ndevices},
	};
	check_single_options(diag, vm, guest, "cloud-hypervisor", options, countof(options));
}

void ch_extra_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	const struct strings *arguments = &guest->options->extra_args;
	struct arena *arena = arena_new();
	const struct pos *where = vm_where(vm, arguments);
	struct ch_extra extra = ch_extra_read(arena, arguments);
	if (ch_value_of(arena, extra.cpus, "boot"))
		extra_args_error(diag, where,
			"cloud-hypervisor.extraArgs: set vcpu instead of --cpus boot=");
	if (extra.platform && strstr(extra.platform, "oem_strings="))
		extra_args_error(diag, where,
			"cloud-hypervisor.extraArgs: set cloud-hypervisor.platformOEMStrings "
			"instead of --platform oem_strings=");
	if (vm->vsock.cid >= 0 && ch_value_of(arena, extra.vsock, "cid"))
		extra_args_error(diag, where,
			"cloud-hypervisor.extraArgs: --vsock cid= and vsock.cid are both given");
	check_repeated(diag, vm, guest);
	arena_free(arena);
}
