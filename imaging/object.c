/* SPDX-License-Identifier: MIT */
#include "imaging/object.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "compiler/base/file.h"

enum { VERIFY_BYTES = 256 * 1024 };

static const char object_magic[8] = "MVMOBJ\n";

/* Mode of an object whose data is known to have reached the disk. */
enum { MODE_VERIFIED = 0400 };

uint64_t object_name_hash(const struct object_identity *identity)
{
	return XXH3_64bits_withSeed(identity->name, strlen(identity->name),
				    XXH3_64bits(identity->settings, strlen(identity->settings)));
}

uint64_t object_footer_hash(const struct object_footer *footer)
{
	return XXH3_64bits(footer, offsetof(struct object_footer, footer_hash));
}

uint64_t object_tables_offset(uint64_t data_bytes)
{
	const uint64_t unit = data_bytes < OBJECT_PAGE ? 8 : OBJECT_PAGE;
	return (data_bytes + unit - 1) & ~(unit - 1);
}

uint64_t object_boot(void)
{
	char text[64];
	FD_CLEANUP int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	return n <= 0 ? 0 : XXH3_64bits(text, (size_t)n);
}

/* ---- opening ---- */

static bool footer_fits(const struct object_footer *f, uint64_t file_bytes)
{
	const uint64_t most = UINT64_C(1) << 60; /* keeps the sums from wrapping */
	if (file_bytes > most || f->data_bytes > most || f->records_bytes > most || f->records_bytes % 8)
		return false;
	return f->tables_offset == object_tables_offset(f->data_bytes) &&
	       file_bytes == f->tables_offset + f->records_bytes + f->fragments * sizeof(struct object_fragment) + sizeof *f;
}

static bool footer_read(int fd, uint64_t file_bytes, const struct object_identity *identity, struct object_footer *f)
{
	if (file_bytes < sizeof *f || !fd_read_all(fd, f, sizeof *f, (off_t)(file_bytes - sizeof *f)))
		return false;
	if (memcmp(f->magic, object_magic, sizeof object_magic) != 0 || f->footer_hash != object_footer_hash(f) ||
	    f->name_hash != object_name_hash(identity) || !footer_fits(f, file_bytes))
		return false;
	return !identity->nar_hash || f->nar_hash[0] == '\0' || strncmp(f->nar_hash, identity->nar_hash, sizeof f->nar_hash) == 0;
}

static bool tables_read(struct object *object)
{
	const struct object_footer *f = &object->footer;
	const bool small = f->data_bytes < OBJECT_PAGE;
	const uint64_t from = small ? 0 : f->tables_offset;
	const uint64_t tables = f->records_bytes + f->fragments * sizeof(struct object_fragment);
	const size_t bytes = (size_t)(f->tables_offset - from + tables);
	object->memory = malloc(bytes + 1);
	if (!object->memory)
		abort();
	if (!fd_read_all(object->fd, object->memory, bytes, (off_t)from))
		return false;
	object->small = small ? object->memory : NULL;
	object->records = object->memory + (f->tables_offset - from);
	object->fragments = (const void *)(object->records + f->records_bytes);
	XXH128_hash_t hash = XXH3_128bits(object->records, tables);
	return hash.low64 == f->tables_hash[0] && hash.high64 == f->tables_hash[1];
}

bool object_verify_data(const struct object *object)
{
	unsigned char *block = malloc(VERIFY_BYTES);
	XXH3_state_t *state = XXH3_createState();
	if (!block || !state)
		abort();
	XXH3_128bits_reset(state);
	bool ok = true;
	for (uint64_t at = 0, left = object->footer.data_bytes; ok && left;) {
		size_t part = left < VERIFY_BYTES ? (size_t)left : VERIFY_BYTES;
		ok = fd_read_all(object->fd, block, part, (off_t)at);
		if (ok)
			XXH3_128bits_update(state, block, part);
		at += part;
		left -= part;
	}
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	free(block);
	return ok && hash.low64 == object->footer.data_hash[0] && hash.high64 == object->footer.data_hash[1];
}

static bool data_is_trusted(const struct object *object, mode_t mode, uint64_t boot)
{
	if ((mode & 0777) == MODE_VERIFIED || (boot && object->footer.boot == boot))
		return true;
	if (!object_verify_data(object))
		return false;
	/* What was read came from the disk if both boots are known. It spares the next build the work: a failure does not matter. */
	if (boot && object->footer.boot)
		fchmod(object->fd, MODE_VERIFIED);
	return true;
}

bool object_open(int fd, const struct object_identity *identity, struct object *out)
{
	*out = (struct object){.fd = fd};
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && footer_read(fd, (uint64_t)st.st_size, identity, &out->footer) &&
	    tables_read(out) && data_is_trusted(out, st.st_mode, identity->boot))
		return true;
	object_close(out);
	return false;
}

bool object_read_footer(int fd, const struct object_identity *identity, struct object_footer *footer)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && footer_read(fd, (uint64_t)st.st_size, identity, footer);
}

void object_close(struct object *object)
{
	fd_close(&object->fd);
	free(object->memory);
	*object = (struct object){.fd = -1};
}

/* ---- records ---- */

static size_t name_offset(const struct object_record *record)
{
	return sizeof *record + (record->type == OBJECT_FILE ? sizeof(struct object_file) : 0);
}

static size_t payload_offset(const struct object_record *record)
{
	return (name_offset(record) + record->name_length + 3) & ~(size_t)3;
}

size_t object_record_bytes(const struct object_record *record)
{
	size_t payload = 0;
	if (record->type == OBJECT_FILE)
		payload = (size_t)record->count * sizeof(uint32_t);
	else if (record->type == OBJECT_SYMLINK)
		payload = record->count;
	return (payload_offset(record) + payload + 7) & ~(size_t)7;
}

static const struct object_record *record_at(const struct object *object, uint64_t offset)
{
	if (offset >= object->footer.records_bytes || object->footer.records_bytes - offset < sizeof(struct object_record))
		return NULL;
	const struct object_record *record = (const void *)(object->records + offset);
	return object->footer.records_bytes - offset < object_record_bytes(record) ? NULL : record;
}

const struct object_record *object_next(const struct object *object, const struct object_record *record)
{
	if (!record)
		return record_at(object, 0);
	const unsigned char *at = (const void *)record;
	return record_at(object, (uint64_t)(at - object->records) + object_record_bytes(record));
}

const struct object_file *object_record_file(const struct object_record *record)
{
	return (const void *)(record + 1);
}

const char *object_record_name(const struct object_record *record)
{
	return (const char *)record + name_offset(record);
}

const void *object_record_payload(const struct object_record *record)
{
	return (const char *)record + payload_offset(record);
}

const struct object_record *object_record_original(const struct object *object, const struct object_record *record)
{
	const uint32_t original = object_record_file(record)->original;
	if (original == OBJECT_OWN_CONTENT)
		return record;
	record = record_at(object, (uint64_t)original * 8);
	return record && record->type == OBJECT_FILE ? record : NULL;
}
