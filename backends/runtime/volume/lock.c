/* SPDX-License-Identifier: MIT */
/*
 * Who locks an image how (sources read in 2026-11):
 *   QEMU              read locks of open file descriptions on single bytes: 100 + N for what it
 *   does, 200 + N for what others may not do (N: 0 reads,
 *                     1 writes, 3 resizes), and looks whether others have those of what it minds
 *                     (block/file-posix.c)
 *   Cloud Hypervisor  since 46 an open file description's lock of the whole file, since 50 of its
 *   bytes; to read or to write (block/src/io/fcntl.rs)
 *   StratoVirt        since 2.2 a process's locks (F_SETLK) on the bytes 101, 102 and 202; to read
 *   or to write (util/src/file.rs)
 *   crosvm            flock, shared or exclusive (disk/src/sys/linux.rs)
 *   Alioth            since 0.11 the same (File::try_lock, alioth/src/virtio/dev/blk.rs)
 *   Firecracker, kvmtool  nothing (no call of flock or of fcntl for locks in src/vmm, disk/)
 * To write takes a lock over all bytes and flock's, so it conflicts with each of them. To read
 * conflicts with those that write, and with nobody who reads: QEMU would take a reader's lock on
 * 101 for a writer.
 */
#include "backends/runtime/volume/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

/*
 * Behind any image. A lock without an end would be a mandatory one on some servers of NFSv4
 * (block/src/io/fcntl.rs of Cloud Hypervisor).
 */
#define FAR ((off_t)1 << 62)

struct stretch {
	off_t start, length;
};

static const struct stretch all_bytes[] = {{0, FAR}, {0, 0}};
/*
 * 100: QEMU and Cloud Hypervisor; 102: StratoVirt that writes; 201, 203: nobody may write or
 * resize.
 */
static const struct stretch reading[] = {{100, 1}, {102, 1}, {201, 1}, {203, 1}, {0, 0}};
/*
 * SMB's locks are mandatory: they would keep the hypervisor itself, which opens the image another
 * time, from its bytes.
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

/* False but where there are no locks. */
static bool refused(struct reason *why)
{
	if (errno == EAGAIN || errno == EACCES || errno == EWOULDBLOCK)
		return reason_set(why,
			"it is in use: a running VM has it, or another start works on it, here or "
			"on another host");
	/*
	 * A file system without locks is no reason not to start: that nobody else has the image is
	 * then the user's to see to.
	 */
	if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS)
		return true;
	return reason_set(why, "it cannot be locked: %s", strerror(errno));
}

/*
 * QEMU that writes has a reader's lock on 101, with which a reader's of ours go together: a
 * writer's alone would meet it.
 */
static bool is_written_by_qemu(int image, enum use use)
{
	enum { WRITES = 101 };
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITES, .l_len = 1};
	return use == USE_READ && fcntl(image, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/*
 * udev has a lock of this kind on a disk of the host for a moment, whenever somebody who could
 * write to it has closed it (systemd's BLOCK_DEVICE_LOCKING): so it is asked for again. NFS makes
 * of it a lock of all bytes, which QEMU minds also where both only read.
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
	/* Behind our own locks: who begins to write now meets those. */
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
	 * NFS wants a descriptor for writing for this one, which whoever may only read does not
	 * have.
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
