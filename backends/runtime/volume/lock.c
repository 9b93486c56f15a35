/* SPDX-License-Identifier: MIT */
/*
 * How hypervisors lock an image (sources read in 2026-11):
 *   QEMU              read locks of open file descriptions on single bytes: 100 + N for its own
 *                     operations, 200 + N for operations that it forbids others (N: 0 reads,
 *                     1 writes, 3 resizes); it then looks for conflicting locks of others
 *                     (block/file-posix.c)
 *   Cloud Hypervisor  since 46 a lock of its open file description on the whole file, since 50 on
 *                     the image's bytes; for reading or for writing (block/src/io/fcntl.rs)
 *   StratoVirt        since 2.2 a process's locks (F_SETLK) on bytes 101, 102 and 202; for reading
 *                     or for writing (util/src/file.rs)
 *   crosvm            flock, shared or exclusive (disk/src/sys/linux.rs)
 *   Alioth            since 0.11 flock as well (File::try_lock, alioth/src/virtio/dev/blk.rs)
 *   Firecracker, kvmtool  none (no call of flock or of fcntl for locks in src/vmm, disk/)
 * For writing we lock all bytes and take flock, which conflicts with all of these. For reading our
 * locks conflict with writers, and not with readers: QEMU would mistake a reader's lock on byte 101
 * for a writer's.
 */
#include "backends/runtime/volume/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include <linux/magic.h>

/*
 * Beyond the end of any image. Some NFSv4 servers treat a lock without an end as mandatory
 * (block/src/io/fcntl.rs of Cloud Hypervisor).
 */
#define FAR ((off_t)1 << 62)

struct stretch {
	off_t start, length;
};

static const struct stretch all_bytes[] = {{0, FAR}, {0, 0}};
/*
 * 100: QEMU and Cloud Hypervisor; 102: a StratoVirt that writes; 201, 203: forbid others to write
 * or resize.
 */
static const struct stretch reading[] = {{100, 1}, {102, 1}, {201, 1}, {203, 1}, {0, 0}};
/*
 * Locks on SMB are mandatory: they would keep the hypervisor, which opens the image again, from
 * accessing the locked bytes.
 */
static const struct stretch far_byte[] = {{FAR, 1}, {0, 0}};

static const struct stretch *stretches(int image, enum use use)
{
	struct statfs fs;
	if (fstatfs(image, &fs) == 0 &&
		((unsigned)fs.f_type == SMB_SUPER_MAGIC ||
			(unsigned)fs.f_type == CIFS_SUPER_MAGIC ||
			(unsigned)fs.f_type == SMB2_SUPER_MAGIC))
		return far_byte;
	return use == USE_WRITE ? all_bytes : reading;
}

static struct flock lock_of(const struct stretch *stretch, enum use use)
{
	return (struct flock){.l_type = use == USE_WRITE ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = stretch->start,
		.l_len = stretch->length};
}

/* Returns true if the file system has no locks, else false. */
static bool refused(struct reason *why)
{
	if (errno == EAGAIN || errno == EACCES || errno == EWOULDBLOCK)
		return reason_set(why,
			"it is in use: a running VM has it, or another start works on it, here or "
			"on another host");
	/*
	 * A file system without locks is no reason not to start. Then the user must ensure that no
	 * other program uses the image.
	 */
	if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS)
		return true;
	return reason_set(why, "it cannot be locked: %s", strerror(errno));
}

/*
 * When QEMU writes, it holds a read lock on byte 101, which is compatible with our read locks; only
 * a write lock would conflict.
 */
static bool is_written_by_qemu(int image, enum use use)
{
	enum { WRITES = 101 };
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITES, .l_len = 1};
	return use == USE_READ && fcntl(image, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/*
 * When a process that could write to a disk of the host closes it, udev holds this kind of lock for
 * a moment (systemd's BLOCK_DEVICE_LOCKING), so we retry. NFS turns it into a lock of all bytes,
 * which conflicts with QEMU's even if both only read.
 */
static bool flock_take(int image, enum use use)
{
	enum { PATIENCE_MS = 3000, STEP_MS = 20 };
	struct stat st;
	struct statfs fs;
	if (use == USE_READ && fstatfs(image, &fs) == 0 && (unsigned)fs.f_type == NFS_SUPER_MAGIC)
		return true;
	const bool is_disk = fstat(image, &st) == 0 && S_ISBLK(st.st_mode);
	for (int ms = 0; flock(image, (use == USE_WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0;
		ms += STEP_MS) {
		if (errno != EWOULDBLOCK || !is_disk || ms >= PATIENCE_MS)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
	return true;
}

bool image_lock(int image, enum use use, struct reason *why)
{
	for (const struct stretch *stretch = stretches(image, use); stretch->length; stretch++) {
		struct flock lock = lock_of(stretch, use);
		if (fcntl(image, F_OFD_SETLK, &lock) != 0)
			return refused(why);
	}
	/* This follows our own locks: a program that begins to write now conflicts with them. */
	errno = EAGAIN;
	return (!is_written_by_qemu(image, use) && flock_take(image, use)) || refused(why);
}

bool image_is_free(int image, enum use use, struct reason *why)
{
	for (const struct stretch *stretch = stretches(image, use); stretch->length; stretch++) {
		struct flock lock = lock_of(stretch, use);
		if (fcntl(image, F_OFD_GETLK, &lock) != 0)
			return refused(why);
		errno = EAGAIN;
		if (lock.l_type != F_UNLCK)
			return refused(why);
	}
	/*
	 * On NFS this requires a descriptor open for writing, which a process with read permission
	 * only does not have.
	 */
	bool writes = (fcntl(image, F_GETFL) & O_ACCMODE) != O_RDONLY;
	errno = EAGAIN;
	if (is_written_by_qemu(image, use) || !flock_take(image, writes ? use : USE_READ))
		return refused(why);
	flock(image, LOCK_UN);
	return true;
}

bool use_parse(const char *word, enum use *use)
{
	*use = strcmp(word, "write") == 0 ? USE_WRITE : USE_READ;
	if (*use == USE_WRITE || strcmp(word, "read") == 0)
		return true;
	complain("expected read or write, not '%s'", word);
	return false;
}
