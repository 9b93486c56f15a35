/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, LOG_LINES = 8 };

bool console_open(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	bool is_console = fd >= 0;
	if (!is_console)
		fd = open("/dev/kmsg", O_RDWR);
	if (fd < 0)
		return false;
	for (int standard = 0; standard <= 2; standard++)
		if (fd != standard)
			dup2(fd, standard);
	if (fd > 2)
		close(fd);
	return is_console;
}

long long milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Each line is one write, because the kernel's log makes a record of each write. */
static void put_line(const char *prefix, const char *format, va_list arguments)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof line, "stage1: %s", prefix);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, arguments);
	if (n > LINE_BYTES - 2)
		n = LINE_BYTES - 2;
	line[n++] = '\n';
	/* Without a console, nobody can read the message. */
	ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
}

void message(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	put_line("", format, arguments);
	va_end(arguments);
}

void debug(const struct parameters *parameters, const char *format, ...)
{
	if (!parameters->debug)
		return;
	char time[32];
	snprintf(time, sizeof time, "%lld ms: ", milliseconds());
	va_list arguments;
	va_start(arguments, format);
	put_line(time, format, arguments);
	va_end(arguments);
}

int kernel_log_mark(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log >= 0)
		lseek(log, 0, SEEK_END);
	return log;
}

void kernel_log_close(int log)
{
	if (log >= 0)
		close(log);
}

void kernel_log_print(int log)
{
	char record[LINE_BYTES];
	ssize_t n;
	/*
	 * Each read returns one record: "priority,sequence,time,flags;text", followed by lines of
	 * properties.
	 */
	for (int printed = 0;
		printed < LOG_LINES && (n = read(log, record, sizeof record - 1)) > 0;) {
		record[n] = '\0';
		record[strcspn(record, "\n")] = '\0';
		const char *text = strchr(record, ';');
		/* If the log replaces the console, it also has the messages of the first stage. */
		if (!text || strncmp(text + 1, "stage1: ", 8) == 0)
			continue;
		message("  kernel: %s", text + 1);
		printed++;
	}
	kernel_log_close(log);
}

static void run_shell(const char *path)
{
	message("starting %s, because of mvm.shell=; the VM ends with it", path);
	pid_t child = fork();
	if (child == 0) {
		setsid();
		ioctl(STDIN_FILENO, TIOCSCTTY, 1);
		execl(path, path, (char *)NULL);
		message("cannot start %s: %s", path, strerror(errno));
		_exit(127);
	}
	/* As PID 1 we must also reap every orphan. */
	while (child > 0 && wait(NULL) != child)
		;
}

static void set_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* If this fails, the panic prints more, or waits as panic= says. */
	ssize_t ignored = write(fd, value, strlen(value));
	(void)ignored;
	close(fd);
}

/*
 * When process 1 ends, the kernel panics. With console level 0 it prints nothing then, so that our
 * message stays the last one.
 */
static _Noreturn void panic(void)
{
	set_sysctl("/proc/sys/kernel/printk", "0");
	set_sysctl("/proc/sys/kernel/panic", "-1");
	_exit(1);
}

_Noreturn void stop(const struct parameters *parameters)
{
	static const char *const ends[] = {[END_PANIC] = "ending as by a panic",
		[END_POWER_OFF] = "powering off",
		[END_REBOOT] = "rebooting"};
	if (parameters->shell)
		run_shell(parameters->shell);
	message("giving up: %s", ends[parameters->end]);
	tcdrain(STDERR_FILENO);
	sync();
	if (parameters->end != END_PANIC)
		reboot(parameters->end == END_POWER_OFF ? RB_POWER_OFF : RB_AUTOBOOT);
	panic();
}
