/* SPDX-License-Identifier: MIT */
/*
 * Reads, binds and checks arbitrary bytes as a description. Arguments of --set follow the first 0
 * byte and are separated by 0 bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler/plan/report.h"
#include "compiler/session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_settings(struct session *session, const char *text, const char *end)
{
	while (text < end) {
		const char *stop = memchr(text, '\0', (size_t)(end - text));
		size_t length = (size_t)((stop ? stop : end) - text);
		vec_push(session->arena, &session->input.sets,
			arena_strndup(session->arena, text, length));
		text += length + 1;
	}
}

static void print_all(const struct session *session)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	diag_print(session->diag, out, session->vm->vcpu % 2 ? DIAG_JSON : DIAG_HUMAN, false);
	fclose(out);
	free(text);
	json_object_put(report_vm(session->arena, session->vm));
}

static int file_with(const char *bytes, size_t count)
{
	int fd = memfd_create("description", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, count) != (ssize_t)count)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *zero = size ? memchr(text, '\0', size) : NULL;
	size_t length = zero ? (size_t)(zero - text) : size;
	struct arena *arena = arena_new();
	struct session session = {.arena = arena, .diag = diag_new(arena)};
	int fd = file_with(text, length);
	vec_push(arena, &session.input.files, arena_printf(arena, "/proc/self/fd/%d", fd));
	add_settings(&session, text + length + 1, text + size);
	bool ok = session_check(&session);
	if (ok != (diag_error_count(session.diag) == 0))
		abort();
	if (session.vm)
		print_all(&session);
	close(fd);
	arena_free(arena);
	return 0;
}
