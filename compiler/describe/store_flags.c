/* SPDX-License-Identifier: MIT */
#include "compiler/describe/store_flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct word {
	const char *text;
	const struct pos *where;
};

struct flags {
	struct arena *arena;
	struct diag *diag;
	struct vm *vm;
	const char *option; /* name of the option */
	VEC(struct word) words;
	size_t next;
};

static void refuse(const struct flags *flags, const struct word *word, const char *why)
{
	diag_error(flags->diag, STATUS_DESCRIPTION, word->where, "bad-store-flags", "%s: \"%s\" %s",
		flags->option, word->text, why);
}

/* microvm.nix joins the strings with spaces and lets a shell split them. */
static void split(struct flags *flags, const struct strings *strings)
{
	for (size_t i = 0; i < strings->n; i++) {
		const struct pos *where = vm_where(flags->vm, strings->v[i]);
		for (const char *at = strings->v[i]; *at;) {
			at += strspn(at, " \t\n");
			const size_t length = strcspn(at, " \t\n");
			if (length)
				vec_push(flags->arena, &flags->words,
					(struct word){
						arena_strndup(flags->arena, at, length), where});
			at += length;
		}
	}
}

/* ---- the meaning of a flag ---- */

static void unknown_compressor(const struct flags *flags, const struct word *word, const char *name)
{
	const char *all = compression_names[0];
	for (size_t i = 1; compression_names[i]; i++)
		all = arena_printf(flags->arena, "%s, %s", all, compression_names[i]);
	diag_error(flags->diag, STATUS_DESCRIPTION, word->where, "bad-store-disk",
		"%s: unknown compressor \"%.80s\"; use one of %s", flags->option, name, all);
}

static void set_compression(const struct flags *flags, const struct word *word, const char *name)
{
	struct vm *vm = flags->vm;
	enum compression compression = 0;
	while (compression != COMPRESSION_OPEN && strcmp(compression_names[compression], name) != 0)
		compression++;
	if (compression == COMPRESSION_OPEN) {
		unknown_compressor(flags, word, name);
		return;
	}
	if (vm_where(vm, &vm->store_disk.compression) &&
		vm->store_disk.compression != compression) {
		refuse(flags, word, "contradicts storeDisk.compression");
		return;
	}
	vm->store_disk.compression = compression;
	vm->store_disk.compression_where = word->where;
}

static void set_number(const struct flags *flags, const struct word *word, int64_t *field,
	int64_t number, const char *contradicts)
{
	if (vm_where(flags->vm, field) && *field != number)
		refuse(flags, word, contradicts);
	else
		*field = number;
}

/* Parses a number with an optional suffix K or M. Returns -1 if the text is anything else. */
static int64_t number_of(const char *text)
{
	char *end;
	const unsigned long long number = strtoull(text, &end, 0);
	const unsigned shift = *end == 'K' || *end == 'k' ? 10
		: *end == 'M' || *end == 'm'              ? 20
							  : 0;
	const bool digits = *text >= '0' && *text <= '9';
	return digits && number <= 1 << 30 && end[shift > 0] == '\0' ? (int64_t)number << shift
								     : -1;
}

static void set_level(const struct flags *flags, const struct word *word, const char *text)
{
	const int64_t level = number_of(text);
	if (level < 0 || level > 22)
		refuse(flags, word, "has an invalid level; levels are 0 to 22");
	else
		set_number(flags, word, &flags->vm->store_disk.level, level,
			"contradicts storeDisk.level");
}

static void set_block_size(const struct flags *flags, const struct word *word, const char *text)
{
	const int64_t bytes = number_of(text);
	if (bytes < 4096 || bytes > 1 << 20 || (bytes & (bytes - 1)))
		refuse(flags, word, "is not a power of two from 4096 to 1048576");
	else
		set_number(flags, word, &flags->vm->store_disk.block_size, bytes,
			"contradicts storeDisk.blockSize");
}

static void set_engine(const struct flags *flags, const struct word *word, enum store_engine engine,
	const char *contradicts)
{
	struct vm *vm = flags->vm;
	if (vm_where(vm, &vm->store_disk.engine) && vm->store_disk.engine != engine)
		refuse(flags, word, contradicts);
	else
		vm->store_disk.engine = engine;
}

/* ---- mkfs.erofs ---- */

/* lz4hc; lz4hc,9; zstd,level=3 */
static void read_z(const struct flags *flags, const struct word *word, const char *value)
{
	const char *comma = strchr(value, ',');
	const char *level = comma && strncmp(comma, ",level=", 7) == 0 ? comma + 7
		: comma                                                ? comma + 1
								       : NULL;
	if (strchr(value, ':')) {
		refuse(flags, word, "has several compressors; the store disk has one");
		return;
	}
	set_compression(flags, word,
		comma ? arena_strndup(flags->arena, value, (size_t)(comma - value)) : value);
	if (level)
		set_level(flags, word, level);
}

static void read_feature(const struct flags *flags, const struct word *word, const char *feature)
{
	static const char *const whole[] = {"fragments", "all-fragments", "dedupe"};
	struct vm *vm = flags->vm;
	bool known = false;
	if (strcmp(feature, "ztailpacking") == 0 || strcmp(feature, "^ztailpacking") == 0) {
		vm->store_disk.tail_packing = *feature != '^';
		return;
	}
	for (size_t i = 0; i < countof(whole); i++)
		known |= strcmp(feature, whole[i]) == 0;
	if (!known) {
		refuse(flags, &(struct word){feature, word->where},
			"is not a feature of the store disk: use ztailpacking, fragments, "
			"all-fragments or dedupe");
		return;
	}
	vec_push(flags->arena, &vm->store_disk.mkfs_features, feature);
	set_engine(flags, word, ENGINE_MKFS_EROFS, "requires storeDisk.engine: mkfs.erofs");
}

static void read_e(const struct flags *flags, const struct word *word, const char *value)
{
	for (const char *at = value; *at;) {
		const size_t length = strcspn(at, ",");
		read_feature(flags, word, arena_strndup(flags->arena, at, length));
		at += length + (at[length] == ',');
	}
}

static void read_c(const struct flags *flags, const struct word *word, const char *value)
{
	set_block_size(flags, word, value);
}

/* ---- gensquashfs ---- */

static void read_compressor(const struct flags *flags, const struct word *word, const char *value)
{
	set_compression(flags, word, value);
	if (strcmp(value, "zstd") != 0)
		set_engine(flags, word, ENGINE_MKSQUASHFS, "requires storeDisk.engine: mksquashfs");
}

static void read_extra(const struct flags *flags, const struct word *word, const char *value)
{
	if (strncmp(value, "level=", 6) == 0)
		set_level(flags, word, value + 6);
	else
		refuse(flags, word, "is only supported with level=");
}

/* Ignores the number of threads: the build determines it. */
static void read_nothing(const struct flags *flags, const struct word *word, const char *value)
{
	(void)flags, (void)word, (void)value;
}

/* ---- both ---- */

struct flag {
	const char *name;
	/* NULL: the flag has no value and is ignored */
	void (*read)(const struct flags *flags, const struct word *word, const char *value);
};

static const struct flag erofs_flags[] = {
	{"-z", read_z},
	{"-C", read_c},
	{"-E", read_e},
	{"--workers", read_nothing},
	{"--all-root", NULL},
	{"--quiet", NULL},
	{"-x-1", NULL},
	{0},
};
static const struct flag squashfs_flags[] = {
	{"-comp", read_compressor},
	{"-c", read_compressor},
	{"--compressor", read_compressor},
	{"-X", read_extra},
	{"--comp-extra", read_extra},
	{"-b", read_c},
	{"--block-size", read_c},
	{"-j", read_nothing},
	{"--num-jobs", read_nothing},
	{"-q", NULL},
	{"--quiet", NULL},
	{"--all-root", NULL},
	{0},
};

/* Returns the value of a flag: the rest of the word, the text after "=", or the next word. */
static const char *value_of(struct flags *flags, const struct word *word, const char *name)
{
	const char *rest = word->text + strlen(name);
	if (*rest)
		return rest + (*rest == '=' && name[1] == '-');
	return flags->next < flags->words.n ? flags->words.v[flags->next++].text : NULL;
}

static bool is_flag(const struct flag *flag, const char *text)
{
	const size_t length = strlen(flag->name);
	const bool is_short = flag->name[1] != '-' && length == 2;
	if (!flag->read || (!is_short && text[length] != '='))
		return strcmp(text, flag->name) == 0;
	return strncmp(text, flag->name, length) == 0;
}

static void read_word(struct flags *flags, const struct flag *table)
{
	const struct word word = flags->words.v[flags->next++];
	while (table->name &&
		(strncmp(word.text, table->name, strlen(table->name)) != 0 ||
			!is_flag(table, word.text)))
		table++;
	if (!table->name) {
		refuse(flags, &word, "is not supported; use the options of storeDisk");
		return;
	}
	if (!table->read)
		return;
	const char *value = value_of(flags, &word, table->name);
	if (value && *value)
		table->read(flags, &word, value);
	else
		refuse(flags, &word, "has no value");
}

/*
 * microvm.nix's default flags, which every exported description contains. -Efragments is dropped
 * from them, because it would force the engine mkfs.erofs.
 */
static bool is_erofs_default(const struct flags *flags)
{
	static const char *const words[] = {"-zlz4hc", "-Eztailpacking", "-Efragments"};
	bool same = flags->words.n == countof(words);
	for (size_t i = 0; same && i < countof(words); i++)
		same = strcmp(flags->words.v[i].text, words[i]) == 0;
	return same;
}

static bool has_no_default(const struct flags *flags)
{
	(void)flags;
	return false;
}

/* The option of each format with the flags of its program. */
static const struct dialect {
	const char *option;
	size_t offset; /* of its strings in the vm */
	const struct flag *flags;
	/* Whether these are the reference's own flags; the last of them is then not followed. */
	bool (*is_default)(const struct flags *flags);
	bool packs_tails; /* its flags, where there are any, also say whether tails are packed */
} dialects[] = {
	[STORE_SQUASHFS] = {"storeDiskSquashfsFlags",
		offsetof(struct vm, store_disk_squashfs_flags), squashfs_flags, has_no_default,
		false},
	[STORE_EROFS] = {"storeDiskErofsFlags", offsetof(struct vm, store_disk_erofs_flags),
		erofs_flags, is_erofs_default, true},
};

void store_flags_apply(struct arena *arena, struct diag *diag, struct vm *vm)
{
	if (vm_refused(vm, &vm->store_disk.type))
		return;
	const struct dialect *dialect = &dialects[vm->store_disk.type];
	struct flags flags = {.arena = arena, .diag = diag, .vm = vm, .option = dialect->option};
	split(&flags, (const struct strings *)(const void *)((const char *)vm + dialect->offset));
	if (dialect->is_default(&flags))
		flags.words.n--;
	if (dialect->packs_tails && flags.words.n)
		vm->store_disk.tail_packing = false;
	while (flags.next < flags.words.n)
		read_word(&flags, dialect->flags);
}
