/* SPDX-License-Identifier: MIT */
#include "imaging/volume/ext.h"

#include <errno.h>
#include <et/com_err.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "imaging/volume/identity.h"

enum {
	BLOCK_BYTES = 4096,
	LOG_BLOCK = 2 /* 1024 << 2 */,
	INODE_BYTES = 256,
	LOST_AND_FOUND_BLOCKS = 4
};
enum { MIB = 1024 * 1024, RESERVED_PERCENT = 5, LOG_GROUPS_PER_FLEX = 4 };

static const char *error_text(errcode_t code)
{
	long index = code - et_ext2_error_table.base;
	/*
	 * Reads the table directly, because com_err requires it to be registered in a global list.
	 */
	if (index >= 0 && index < et_ext2_error_table.n_msgs)
		return et_ext2_error_table.msgs[index];
	return strerror((int)code);
}

static const char *const type_names[] = {[EXT2] = "ext2", [EXT3] = "ext3", [EXT4] = "ext4"};

/* Bytes of volume per inode, as in Debian's mke2fs.conf (its types small, default and big). */
static uint32_t inode_ratio(uint64_t size_bytes)
{
	uint64_t mib = size_bytes / MIB;
	if (mib < 512)
		return 4096;
	return mib < 4 * 1024 * 1024 ? 16384 : mib < 16 * 1024 * 1024 ? 32768 : 65536;
}

/* The features of mke2fs.conf. */
static void features_add(struct ext2_super_block *super, enum ext_type type)
{
	super->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |
		EXT2_FEATURE_COMPAT_DIR_INDEX;
	super->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE;
	super->s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE;
	if (type >= EXT3)
		super->s_feature_compat |= EXT3_FEATURE_COMPAT_HAS_JOURNAL;
	if (type < EXT4)
		return;
	super->s_desc_size = EXT2_MIN_DESC_SIZE_64BIT;
	super->s_log_groups_per_flex = LOG_GROUPS_PER_FLEX;
	super->s_feature_incompat |= EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT |
		EXT4_FEATURE_INCOMPAT_FLEX_BG;
	super->s_feature_ro_compat |= EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
		EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
		EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

static struct ext2_super_block parameters(const struct ext_request *request)
{
	struct ext2_super_block super = {
		.s_rev_level = EXT2_DYNAMIC_REV,
		.s_log_block_size = LOG_BLOCK,
		.s_log_cluster_size = LOG_BLOCK,
		.s_inode_size = INODE_BYTES,
		.s_inodes_count =
			(uint32_t)(request->size_bytes / inode_ratio(request->size_bytes)),
		.s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL,
	};
	features_add(&super, request->type);
	uint64_t blocks = request->size_bytes / BLOCK_BYTES;
	ext2fs_blocks_count_set(&super, blocks);
	ext2fs_r_blocks_count_set(&super, blocks * RESERVED_PERCENT / 100);
	return super;
}

/*
 * Sets the fields that ext2fs_initialize leaves to its caller. Every later write depends on the
 * checksum seed.
 */
static void identify(ext2_filsys fs, const struct ext_request *request)
{
	struct ext2_super_block *super = fs->super;
	struct identity identity = identity_of(request->seed);
	memcpy(super->s_uuid, identity.uuid, sizeof super->s_uuid);
	memcpy(super->s_hash_seed, identity.hash_seed, sizeof super->s_hash_seed);
	if (request->label)
		memcpy(super->s_volume_name, request->label, strlen(request->label));
	if (ext2fs_has_feature_metadata_csum(super))
		super->s_checksum_type = EXT2_CRC32C_CHKSUM;
	ext2fs_init_csum_seed(fs);
	super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	super->s_flags =
		(super->s_flags & ~(uint32_t)EXT2_FLAGS_UNSIGNED_HASH) | EXT2_FLAGS_SIGNED_HASH;
	super->s_max_mnt_count = -1;
	/* 0 also stops the library from counting what it writes. */
	super->s_kbytes_written = 0;
	/* The library uses the clock, or the environment, only if `now` is 0. */
	fs->now = request->time ? (time_t)request->time : 1;
	super->s_mkfs_time = super->s_lastcheck = (uint32_t)fs->now;
}

/*
 * The inode tables of a new file are holes. Unless they are marked as zeroed, the guest's kernel
 * writes zeros for minutes.
 */
static void mark_tables_zeroed(ext2_filsys fs)
{
	for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
		ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
		ext2fs_group_desc_csum_set(fs, group);
	}
}

/* An inode of zeros is invalid without its checksum. */
static errcode_t write_reserved_inodes(ext2_filsys fs)
{
	union {
		struct ext2_inode inode;
		uint8_t bytes[INODE_BYTES];
	} empty = {.bytes = {0}};
	errcode_t error = 0;
	for (ext2_ino_t number = 1; !error && number < EXT2_FIRST_INO(fs->super); number++)
		error = ext2fs_write_inode_full(fs, number, &empty.inode, sizeof empty);
	return error;
}

static errcode_t make_lost_and_found(ext2_filsys fs)
{
	static const char name[] = "lost+found";
	ext2_ino_t number;
	fs->umask = 077;
	errcode_t error = ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, name);
	if (!error)
		error = ext2fs_lookup(fs, EXT2_ROOT_INO, name, sizeof name - 1, NULL, &number);
	for (int block = 1; !error && block < LOST_AND_FOUND_BLOCKS; block++)
		error = ext2fs_expand_dir(fs, number);
	return error;
}

static errcode_t make_bad_block_inode(ext2_filsys fs)
{
	for (ext2_ino_t number = EXT2_ROOT_INO + 1; number < EXT2_FIRST_INODE(fs->super); number++)
		ext2fs_inode_alloc_stats2(fs, number, +1, 0);
	ext2fs_mark_inode_bitmap2(fs->inode_map, EXT2_BAD_INO);
	ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
	ext2fs_mark_ib_dirty(fs);
	return ext2fs_update_bb_inode(fs, NULL);
}

/*
 * Also sets the number of blocks used by metadata, so that the guest's kernel need not count them
 * at each mount.
 */
static errcode_t make_journal(ext2_filsys fs, blk64_t overhead)
{
	if (!ext2fs_has_feature_journal(fs->super)) {
		fs->super->s_overhead_clusters = (uint32_t)overhead;
		return 0;
	}
	int blocks = ext2fs_default_journal_size(ext2fs_blocks_count(fs->super));
	if (blocks < 0)
		return EXT2_ET_JOURNAL_TOO_SMALL;
	fs->super->s_overhead_clusters = (uint32_t)(overhead + (blk64_t)blocks);
	/*
	 * LAZYINIT leaves the journal's blocks as holes, which read as the zeros that they must be.
	 */
	return ext2fs_add_journal_inode(
		fs, (blk_t)blocks, EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK);
}

static errcode_t write_inodes(ext2_filsys fs)
{
	errcode_t error = write_reserved_inodes(fs);
	if (!error)
		error = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
	if (!error)
		error = make_lost_and_found(fs);
	if (!error)
		error = make_bad_block_inode(fs);
	if (!error)
		error = ext2fs_create_resize_inode(fs);
	return error;
}

static errcode_t fill(ext2_filsys fs)
{
	blk64_t overhead = 0;
	errcode_t error = ext2fs_allocate_tables(fs);
	if (!error)
		error = ext2fs_count_used_clusters(fs, fs->super->s_first_data_block,
			ext2fs_blocks_count(fs->super) - 1, &overhead);
	if (error)
		return error;
	mark_tables_zeroed(fs);
	if ((error = write_inodes(fs)))
		return error;
	return make_journal(fs, overhead);
}

static errcode_t write_file_system(const struct ext_request *request)
{
	struct ext2_super_block super = parameters(request);
	ext2_filsys fs = NULL;
	errcode_t error = ext2fs_initialize(request->path, EXT2_FLAG_EXCLUSIVE | EXT2_FLAG_64BITS,
		&super, unix_io_manager, &fs);
	if (error)
		return error;
	/*
	 * Disables the library's write cache, because ext2fs_free ignores errors of delayed writes.
	 */
	fs->io->flags |= CHANNEL_FLAGS_WRITETHROUGH;
	identify(fs, request);
	error = fill(fs);
	if (!error)
		error = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
	if (error)
		ext2fs_free(fs);
	return error;
}

static bool request_is_valid(struct diag *diag, const struct ext_request *request)
{
	uint64_t mib = request->size_bytes / MIB;
	if (request->size_bytes % MIB)
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "volume-size",
			"the size of %s is not a whole number of MiB", request->path);
	if (mib < EXT_MINIMUM_MIB || mib > EXT_MAXIMUM_MIB)
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "volume-size",
			"the size of %s is %llu MiB; %s volumes must have from %d MiB to %d TiB",
			request->path, (unsigned long long)mib, type_names[request->type],
			EXT_MINIMUM_MIB, EXT_MAXIMUM_MIB / MIB);
	if (request->label && strlen(request->label) > EXT_LABEL_BYTES)
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "volume-label",
			"the label \"%s\" has %zu bytes; %s allows at most %d", request->label,
			strlen(request->label), type_names[request->type], EXT_LABEL_BYTES);
	return true;
}

static bool create_sparse(struct diag *diag, const char *path, uint64_t size_bytes)
{
	FD_CLEANUP int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot create %s: %s", path, strerror(errno));
	if (fchmod(fd, 0644) == 0 && ftruncate(fd, (off_t)size_bytes) == 0)
		return true;
	diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot make %s %llu MiB large: %s", path, (unsigned long long)(size_bytes / MIB),
		strerror(errno));
	unlink(path);
	return false;
}

bool ext_create(struct diag *diag, const struct ext_request *request)
{
	if (!request_is_valid(diag, request) ||
		!create_sparse(diag, request->path, request->size_bytes))
		return false;
	errcode_t error = write_file_system(request);
	if (!error)
		return true;
	unlink(request->path);
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot make the %s file system %s: %s", type_names[request->type], request->path,
		error_text(error));
}
