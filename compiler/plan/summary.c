/* SPDX-License-Identifier: MIT */
#include "compiler/plan/summary.h"

#include "base/buf.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/shape.h"
#include "backends/interface/choices.h"

struct writer {
	struct arena *arena;
	struct buf *out;
	const struct plan *plan;
};

static const char *shown(const struct writer *writer, const char *text)
{
	return printable_text(writer->arena, text ? text : "");
}

/* ---- the block ---- */

static void line(const struct writer *writer, const char *label, const char *text)
{
	buf_printf(writer->out, "  %-9s %s\n", label, text);
}

static void write_kernel(const struct writer *writer)
{
	const struct kernel *kernel = &writer->plan->system.kernel;
	line(writer, "kernel",
		arena_printf(writer->arena, "%s (%s, %s%s%s)", shown(writer, kernel->path),
			kernel_format_name(kernel->format), kernel_arch_name(kernel->arch),
			kernel->version ? ", " : "", shown(writer, kernel->version)));
	line(writer, "initrd",
		writer->plan->own_stage1 ? "our stage 1"
					 : shown(writer, writer->plan->system.initrd));
}

static void write_machine(const struct writer *writer)
{
	const struct vm *vm = writer->plan->vm;
	line(writer, "memory",
		arena_printf(writer->arena, "%llu MiB%s%s%s", (unsigned long long)vm->mem_mib,
			vm->hugepage_mem ? ", huge pages" : "", vm->balloon ? ", balloon" : "",
			writer->plan->lowered.merges_memory ? ", mergeable by KSM" : ""));
	line(writer, "vCPUs", arena_printf(writer->arena, "%llu", (unsigned long long)vm->vcpu));
	if (vm->vsock.cid >= 0)
		line(writer, "vsock",
			arena_printf(writer->arena, "%lld", (long long)vm->vsock.cid));
}

static void write_network(const struct writer *writer)
{
	const struct vm *vm = writer->plan->vm;
	for (size_t i = 0; i < vm->interfaces.n; i++) {
		const struct interface *interface = &vm->interfaces.v[i];
		const char *at = interface->type == INTERFACE_MACVTAP ? interface->macvtap.link
								      : interface->bridge;
		line(writer, "network",
			arena_printf(writer->arena, "%s %s%s%s, %s",
				interface_type_names[interface->type], shown(writer, interface->id),
				at ? " on " : "", shown(writer, at),
				shown(writer, interface->mac)));
	}
	for (size_t i = 0; i < vm->forward_ports.n; i++) {
		const struct forward_port *port = &vm->forward_ports.v[i];
		const bool to_guest = port->from == FROM_HOST;
		const struct endpoint *from = to_guest ? &port->host : &port->guest,
				      *to = to_guest ? &port->guest : &port->host;
		line(writer, "port",
			arena_printf(writer->arena, "%s %s%s%lld of the %s, to %s%s%lld of the %s",
				transport_names[port->proto], shown(writer, from->address),
				*shown(writer, from->address) ? ":" : "", (long long)from->port,
				to_guest ? "host" : "guest", shown(writer, to->address),
				*shown(writer, to->address) ? ":" : "", (long long)to->port,
				to_guest ? "guest" : "host"));
	}
}

static const char *disk_text(const struct writer *writer)
{
	const struct vm *vm = writer->plan->vm;
	const bool plain = vm->store_disk.compression == COMPRESSION_NONE;
	return arena_printf(writer->arena, "on a disk of type %s, %s%s%s",
		store_type_names[vm->store_disk.type], plain ? "without compression" : "with ",
		plain ? "" : compression_names[vm->store_disk.compression],
		storage_disk_on_host(vm) ? ", linked on the host" : "");
}

/* Linux has 64 bytes (struct page) for each 4096 bytes of persistent memory. */
enum { STORE_PER_MAP = 4096 / 64 };

/* Where the pages of the store disk are in memory. */
static void write_caching(const struct writer *writer)
{
	const struct vm *vm = writer->plan->vm;
	const struct closure *closure = &writer->plan->closure;
	uint64_t bytes = 0;
	for (size_t i = 0; i < closure->n; i++)
		bytes += closure->v[i].nar_size > 0 ? (uint64_t)closure->v[i].nar_size : 0;
	if (vm->store_disk.device == STORE_PMEM)
		line(writer, "caching",
			arena_printf(writer->arena,
				"on the host only, which maps it into all VMs with this disk; the "
				"guest needs %llu MiB of memory to describe it",
				(unsigned long long)(bytes / STORE_PER_MAP >> 20) + 1));
	else
		line(writer, "caching",
			vm->store_disk.direct ? "in the guest only (direct)"
					      : "in each guest, and on the host");
}

static void write_storage(const struct writer *writer)
{
	const struct vm *vm = writer->plan->vm;
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		const char *size = volume->size_mib ? arena_printf(writer->arena, ", %llu MiB",
							      (unsigned long long)volume->size_mib)
						    : "";
		line(writer, "volume",
			arena_printf(writer->arena, "%s%s%s (%s%s%s)", shown(writer, volume->image),
				volume->mount_point ? " on " : "",
				shown(writer, volume->mount_point), volume->fs_type, size,
				volume->read_only ? ", read-only" : ""));
	}
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		line(writer, "share",
			arena_printf(writer->arena, "%s on %s (%s%s)", shown(writer, share->source),
				shown(writer, share->mount_point), share_proto_names[share->proto],
				share->read_only ? ", read-only" : ""));
	}
	line(writer, "store",
		arena_printf(writer->arena, "%zu path%s, from %s, %s", writer->plan->closure.n,
			plural(writer->plan->closure.n),
			shown(writer, writer->plan->closure.source),
			vm->store_on_disk ? disk_text(writer) : "shared from the host"));
	if (vm->store_on_disk)
		write_caching(writer);
}

/* ---- the lists ---- */

static void write_disks(const struct writer *writer)
{
	const struct guest *guest = &writer->plan->guest;
	buf_puts(writer->out, "disks:\n");
	for (size_t i = 0; i < guest->ndisks; i++)
		buf_printf(writer->out, "  %s %s%s\n", shown(writer, guest->disks[i].serial),
			shown(writer, guest->disks[i].file.path),
			guest->disks[i].read_only ? " (read-only)" : "");
}

static void write_mounts(const struct writer *writer)
{
	const struct guest_mounts *mounts = &writer->plan->mounts;
	buf_puts(writer->out, "mounts:\n");
	for (size_t i = 0; i < mounts->n; i++)
		buf_printf(writer->out, "  %s %s %s\n", shown(writer, mounts->v[i].stage1.target),
			mounts->v[i].stage1.type, shown(writer, mounts->v[i].stage1.source));
}

/* ---- the command ---- */

static const char *piece_text(const struct piece *piece, const char *runner)
{
	switch (piece->kind) {
	case PIECE_TEXT:
	case PIECE_DIRECT:
		return piece->text;
	case PIECE_RUNNER:
	case PIECE_RUNNER_COMMAS:
	case PIECE_RUNNER_JSON:
		return runner;
	case PIECE_PARAMETERS:
	case PIECE_PARAMETERS_JSON:
		return "";
	case PIECE_AIO:
		return "io_uring";
	case PIECE_ENGINE_JSON:
		return "Async";
	case PIECE_MACVTAP:
		return "{macvtap}";
	case PIECE_BRIDGE:
		return "{tap or bridge}";
	case PIECE_STATE_URL:
		return "{state}";
	case PIECE_WAYLAND:
		return "{wayland}";
	case PIECE_RUN_AS:
		return "-run-with";
	case PIECE_RUN_AS_KEY:
		return "user=";
	case PIECE_FILE_BYTES:
		return "{bytes}";
	case PIECE_SUM_MIB:
		return "{MiB}";
	}
	return "";
}

static void write_command(const struct writer *writer, const char *runner)
{
	const struct command *command = &writer->plan->lowered.command;
	buf_puts(writer->out, "command, with KVM; bin/microvm-run also prepares what it needs:\n ");
	for (size_t i = 0; i < command->arguments.n; i++) {
		const struct argument *argument = &command->arguments.v[i];
		BUF_CLEANUP struct buf word = {0};
		if (argument->when == WHEN_TCG)
			continue;
		for (size_t j = 0; j < argument->pieces.n; j++)
			buf_puts(&word, piece_text(&argument->pieces.v[j], runner));
		const char *text = shown(writer, buf_text(&word));
		buf_puts(writer->out, " ");
		if (*text && is_made_of(text, "-_./=:,+@%"))
			buf_puts(writer->out, text);
		else
			buf_shell_quote(writer->out, text);
	}
	buf_puts(writer->out, "\n");
}

const char *plan_summary(struct arena *arena, const struct plan *plan, const char *runner)
{
	BUF_CLEANUP struct buf out = {0};
	const struct writer writer = {arena, &out, plan};
	buf_printf(&out, "%s on %s\n", plan->vm->host_name, plan->backend->name);
	line(&writer, "system", shown(&writer, plan->system.toplevel));
	if (plan->system.prepare_root)
		line(&writer, "activation", shown(&writer, plan->system.prepare_root));
	write_kernel(&writer);
	write_machine(&writer);
	write_network(&writer);
	write_storage(&writer);
	write_disks(&writer);
	write_mounts(&writer);
	write_command(&writer, runner);
	return arena_strdup(arena, buf_text(&out));
}
