/* SPDX-License-Identifier: MIT */
#include "message.h"

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

enum { LINE_BYTES = 1024, LOG_LINES = 4 };

void console_open(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/kmsg", O_RDWR);
	if (fd < 0)
		return;
	for (int standard = 0; standard <= 2; standard++)
		if (fd != standard)
			dup2(fd, standard);
	if (fd > 2)
		close(fd);
}

long long milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One line in one write: the kernel's log takes each write as one record. */
static void put_line(const char *prefix, const char *format, va_list arguments)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof line, "stage1: %s", prefix);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, arguments);
	if (n > LINE_BYTES - 2)
		n = LINE_BYTES - 2;
	line[n++] = '\n';
	/* When the console is gone there is nobody to tell. */
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

void message_kernel_log(unsigned count)
{
	char lines[LOG_LINES][LINE_BYTES];
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned seen = 0;
	ssize_t n;
	/* One record a read; EPIPE: older ones were overwritten meanwhile. */
	while ((n = read(log, lines[seen % LOG_LINES], LINE_BYTES - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		char *line = lines[seen % LOG_LINES];
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		/* After "priority,sequence,time,flags;"; what a user space program wrote has facility 1 or more. */
		const char *text = strchr(line, ';');
		if (!text || strstr(text, "stage1: "))
			continue;
		memmove(line, text + 1, strlen(text));
		seen++;
	}
	if (log >= 0)
		close(log);
	if (count > LOG_LINES - 1)
		count = LOG_LINES - 1; /* the last slot was being filled */
	for (unsigned i = seen > count ? seen - count : 0; i < seen; i++)
		message("  kernel: %s", lines[i % LOG_LINES]);
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
	/* As PID 1 every orphan is ours to collect, too. */
	while (child > 0 && wait(NULL) != child)
		;
}

_Noreturn void stop(const struct parameters *parameters)
{
	if (parameters->shell)
		run_shell(parameters->shell);
	message("giving up: %s", parameters->power_off ? "powering off" : "rebooting");
	tcdrain(STDERR_FILENO);
	sync();
	reboot(parameters->power_off ? RB_POWER_OFF : RB_AUTOBOOT);
	_exit(1);
}
