/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/by_hand.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/runners.h"

enum { PROC_BYTES = 64 * 1024 };
/* The name of a KVM guest among the open files of a process (virt/kvm/kvm_main.c). */
#define KVM_GUEST "anon_inode:kvm-vm"

static bool is_below(const char *path, const char *directory)
{
	const size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* ---- processes ---- */

static const char *process_file(const struct host *host, pid_t pid, const char *name)
{
	return arena_printf(host->arena, "/proc/%d/%s", (int)pid, name);
}

static const char *process_text(const struct host *host, pid_t pid, const char *name)
{
	struct bytes bytes;
	return file_read(host->arena, diag_new(host->arena), process_file(host, pid, name),
		       PROC_BYTES, &bytes)
		? bytes.p
		: "";
}

/* Whether a unit of the VM in whose directory the process works has started it. */
static bool is_of_unit(const struct host *host, pid_t pid, const char *directory)
{
	const char *unit = arena_printf(host->arena, "@%s.service", path_base(directory));
	const char *groups = process_text(host, pid, "cgroup");
	/* The component must begin with "microvm": user@1000.service is the login of uid 1000. */
	for (const char *at = groups; (at = strstr(at, unit)); at++) {
		const char *start = at;
		while (start > groups && start[-1] != '/')
			start--;
		if (strncmp(start, "microvm", strlen("microvm")) == 0)
			return true;
	}
	return false;
}

static void add_worker(const struct host *host, struct workers *workers, pid_t pid,
	const char *directory, const char *path)
{
	const char *program = process_text(host, pid, "comm");
	program = arena_strndup(host->arena, program, strcspn(program, "\n"));
	vec_push(host->arena, &workers->found, (struct worker){pid, program, directory, path});
}

static void look_at_files(
	const struct host *host, struct workers *workers, pid_t pid, const char *directory)
{
	const char *place = process_file(host, pid, "fd"),
		   *program = link_read(host->arena, process_file(host, pid, "exe"));
	const bool inside = is_below(directory, workers->state_dir);
	DIR *stream = opendir(place);
	if (program && (inside || is_below(program, workers->state_dir)))
		add_worker(host, workers, pid, directory, program);
	for (struct dirent *entry; stream && (entry = readdir(stream));) {
		char path[PATH_MAX];
		const ssize_t length =
			readlinkat(dirfd(stream), entry->d_name, path, sizeof path - 1);
		if (length <= 0)
			continue;
		path[length] = '\0';
		if (inside || is_below(path, workers->state_dir))
			add_worker(host, workers, pid, directory, arena_strdup(host->arena, path));
	}
	if (stream)
		closedir(stream);
}

void workers_find(const struct host *host, struct workers *workers)
{
	char real[PATH_MAX];
	DIR *stream = opendir("/proc");
	*workers =
		(struct workers){.state_dir = arena_strdup(host->arena,
					 realpath(host->state_dir, real) ? real : host->state_dir)};
	for (struct dirent *entry; stream && (entry = readdir(stream));) {
		const pid_t pid =
			isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		const char *directory = pid > 0 && pid != getpid()
			? link_read(host->arena, process_file(host, pid, "cwd"))
			: NULL;
		if (directory &&
			!(is_below(directory, workers->state_dir) &&
				is_of_unit(host, pid, directory)))
			look_at_files(host, workers, pid, directory);
	}
	if (stream)
		closedir(stream);
}

static const char *worker_text(const struct host *host, const struct worker *worker)
{
	return arena_printf(host->arena, "process %d, %s", (int)worker->pid, worker->program);
}

/* ---- VMs ---- */

/* The directories of the VM's runners; those of flakes are in Nix's store. */
static struct strings runners_of(
	const struct host *host, const struct machine *machine, const char *directory)
{
	static const char *const links[] = {"current", "booted", "old"};
	struct strings runners = {0};
	char real[PATH_MAX];
	vec_push(host->arena, &runners, path_join(host->arena, directory, RUNNERS));
	for (size_t i = 0; i < countof(links); i++)
		if (realpath(machine_path(host, machine, links[i]), real))
			vec_push(host->arena, &runners, arena_strdup(host->arena, real));
	return runners;
}

static bool has_guest(const struct worker *worker, const struct strings *runners)
{
	if (strcmp(worker->path, KVM_GUEST) == 0)
		return true;
	for (size_t i = 0; i < runners->n; i++)
		if (is_below(worker->path, runners->v[i]))
			return true;
	return false;
}

/*
 * connect() with another socket type than the listener's finds the listener without becoming its
 * client: EPROTOTYPE (unix_find_bsd, net/unix/af_unix.c).
 */
static bool socket_listens(const struct host *host, int directory, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = arena_printf(host->arena, "/proc/self/fd/%d/%s", directory, name);
	if (strlen(path) >= sizeof address.sun_path)
		return false;
	memcpy(address.sun_path, path, strlen(path));
	FD_CLEANUP int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
		errno == EPROTOTYPE;
}

const char *socket_in_use(const struct host *host, const struct machine *machine)
{
	const char *found = NULL;
	DIR *stream = opendir(machine->directory);
	for (struct dirent *entry; stream && !found && (entry = readdir(stream));) {
		struct stat st;
		if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISSOCK(st.st_mode) && socket_listens(host, dirfd(stream), entry->d_name))
			found = arena_printf(host->arena, "a process listens on %s", entry->d_name);
	}
	if (stream)
		closedir(stream);
	return found;
}

const char *by_hand(
	const struct host *host, const struct workers *workers, const struct machine *machine)
{
	const char *directory = path_join(host->arena, workers->state_dir, machine->name);
	const struct strings runners = runners_of(host, machine, directory);
	for (size_t i = 0; i < workers->found.n; i++) {
		const struct worker *worker = &workers->found.v[i];
		if (strcmp(worker->directory, directory) == 0 && has_guest(worker, &runners))
			return worker_text(host, worker);
	}
	return NULL;
}

/* ---- files ---- */

/* QEMU and Cloud Hypervisor use record locks, crosvm and our scripts lock whole files. */
static bool is_locked(int directory, const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;
	/* NFS requires write access for an exclusive lock. */
	int opened = openat(directory, path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (opened < 0)
		opened = openat(directory, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	FD_CLEANUP int fd = opened;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	return (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
		(fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK);
}

const char *file_user(const struct host *host, const struct workers *workers,
	const struct machine *machine, const char *path)
{
	const char *whole = path_join(
		host->arena, path_join(host->arena, workers->state_dir, machine->name), path);
	for (size_t i = 0; i < workers->found.n; i++)
		if (strcmp(workers->found.v[i].path, whole) == 0)
			return worker_text(host, &workers->found.v[i]);
	return is_locked(machine->lock, path) ? "a program that holds a lock on it" : NULL;
}
