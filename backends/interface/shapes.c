/* SPDX-License-Identifier: MIT */
#include "backends/interface/shapes.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"

static const char decimal[] = "0123456789";

static bool is_serial(const char *text)
{
	return *text && is_made_of(text, "-_.");
}

/* QEMU refuses to start with any other id (id_wellformed in util/id.c). */
static bool is_qemu_id(const char *text)
{
	return is_name(text) && !strchr(decimal, *text);
}

static bool is_ipv4_or_empty(const char *text)
{
	struct in_addr parsed;
	return !*text || inet_pton(AF_INET, text, &parsed) == 1;
}

static bool is_path(const char *text)
{
	return *text && !strchr(text, '\n');
}

static bool is_absolute(const char *text)
{
	return *text == '/' && !strchr(text, '\n');
}

static bool is_search_path(const char *text)
{
	return *text == '/' && !strpbrk(text, ":\n");
}

static bool is_mount_point(const char *text)
{
	return strcmp(text, "/") == 0 || is_plain_path(text);
}

static bool is_store_dir(const char *text)
{
	return is_plain_path(text) && !strpbrk(text, ":, ");
}

/* In overlayfs mount options, commas separate options and colons separate lower layers. */
static bool is_overlay_path(const char *text)
{
	return is_plain_path(text) && !strpbrk(text, ":,\\ ");
}

static bool is_share_tag(const char *text)
{
	return *text && *text != '.' && is_made_of(text, "-_.+");
}

/* microvm.nix's default is the text "`nproc`", which its shell evaluates; here it is a keyword. */
static bool is_threads(const char *text)
{
	enum { DIGITS_MAX = 5 };
	const size_t digits = strspn(text, decimal);
	const bool leading_zero = text[0] == '0' && text[1];
	return strcmp(text, "`nproc`") == 0 ||
		(digits && digits <= DIGITS_MAX && !text[digits] && !leading_zero);
}

/* People write the number of CPUs, which is vcpu. */
static bool is_cpu_model(const char *text)
{
	return text[strspn(text, "-.0123456789")];
}

/*
 * The window is a PCI BAR, so its size is a power of two. QEMU accepts a plain number of bytes or a
 * number with one of these suffixes.
 */
static bool is_window(const char *text)
{
	enum { DIGITS_MAX = 12 };
	const size_t digits = strspn(text, decimal);
	const char *suffix = text + digits;
	if (!digits || digits > DIGITS_MAX || *text == '0' ||
		(*suffix && (!strchr("KMGT", *suffix) || suffix[1])))
		return false;
	const unsigned long long number = strtoull(text, NULL, 10);
	return number && !(number & (number - 1));
}

/* One or more components, none of them "." or "..", without the characters `no`. */
#define PLAIN_PATH(no) "(/([^/." no "\n]|\\.[^/." no "\n]|\\.\\.[^/" no "\n])[^/" no "\n]*)+"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

/* The first two are the shape's error; docs/error_codes.awk finds it by the names. */
#define shape_row(status, code, ...) \
	{ \
		status, code, __VA_ARGS__ \
	}

const struct shape shape_name = shape_row(STATUS_DESCRIPTION, "bad-name", is_name,
	"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
	"a valid name: use letters, digits, '-', '_' and '.', starting with a letter or digit",
	NULL);
const struct shape shape_mac = shape_row(STATUS_DESCRIPTION, "bad-mac", is_unicast_mac,
	"^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$",
	"a unicast MAC address such as 02:00:00:00:00:01", NULL);
const struct shape shape_uuid = shape_row(STATUS_DESCRIPTION, "bad-machine-id", is_uuid,
	"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
	"a UUID of the form 01234567-89ab-cdef-0123-456789abcdef", NULL);
const struct shape shape_version =
	shape_row(STATUS_DESCRIPTION, "bad-version", is_version, "^[0-9]{1,9}(\\.[0-9]{1,9}){0,3}$",
		"a version such as 51 or 9.1; omit it for the current version", NULL);
const struct shape shape_serial = shape_row(STATUS_DESCRIPTION, "bad-serial", is_serial,
	"^[A-Za-z0-9_.-]+$", "made of letters, digits, '-', '_' and '.'", NULL);
const struct shape shape_fs_type = shape_row(STATUS_DESCRIPTION, "bad-volume", is_fs_type,
	"^[A-Za-z0-9_.-]+$", "a valid file system name", NULL);
const struct shape shape_qemu_id = shape_row(STATUS_DESCRIPTION, "bad-name", is_qemu_id,
	"^[A-Za-z][A-Za-z0-9_.-]*$",
	"a valid QEMU id: use letters, digits, '-', '_' and '.', starting with a letter", NULL);
const struct shape shape_ipv4 = shape_row(STATUS_DESCRIPTION, "bad-address", is_ipv4_or_empty,
	"^(" OCTET "(\\." OCTET "){3})?$", "an IPv4 address such as 127.0.0.1", NULL);
const struct shape shape_path = shape_row(
	STATUS_DESCRIPTION, "bad-path", is_path, "^[^\n]+$", "a path without line breaks", NULL);
const struct shape shape_absolute = shape_row(
	STATUS_DESCRIPTION, "bad-path", is_absolute, "^/[^\n]*$", "an absolute path", NULL);
const struct shape shape_search_path = shape_row(STATUS_DESCRIPTION, "bad-path", is_search_path,
	"^/[^:\n]*$", "an absolute path without ':'", NULL);
const struct shape shape_socket = shape_row(STATUS_DESCRIPTION, "bad-socket", is_path, "^[^\n]+$",
	"a path without line breaks, or null for no socket",
	"; use a path relative to the state directory");
const struct shape shape_mount_point = shape_row(STATUS_DESCRIPTION, "bad-mount-point",
	is_mount_point, "^(/|" PLAIN_PATH("") ")$",
	"an absolute path such as /var/lib, without \"..\", \"//\" and a trailing \"/\"", NULL);
const struct shape shape_store_dir =
	shape_row(STATUS_DESCRIPTION, "bad-path", is_store_dir, "^" PLAIN_PATH(":, ") "$",
		"an absolute path such as /nix/store, without ':', ',' and spaces", NULL);
const struct shape shape_overlay = shape_row(STATUS_DESCRIPTION, "bad-store-overlay",
	is_overlay_path, "^" PLAIN_PATH(":, \\\\") "$",
	"an absolute path such as /nix/.rw-store, without \"..\", \"//\", a trailing \"/\", "
	"spaces, ':', ',' and '\\'",
	NULL);
const struct shape shape_share_tag =
	shape_row(STATUS_DESCRIPTION, "bad-share", is_share_tag, "^[A-Za-z0-9_+-][A-Za-z0-9_.+-]*$",
		"made of letters, digits, '-', '_', '.' and '+', not starting with '.'", NULL);
const struct shape shape_threads =
	shape_row(STATUS_DESCRIPTION, "bad-virtiofsd", is_threads, "^(`nproc`|0|[1-9][0-9]{0,4})$",
		"a number of 1 to 5 digits, without leading zeros, or `nproc`", NULL);
const struct shape shape_cpu_model = shape_row(STATUS_DESCRIPTION, "wrong-type", is_cpu_model,
	"[^0-9.-]", "the name of a CPU model; vcpu is the number of CPUs", NULL);
const struct shape shape_window = shape_row(STATUS_DESCRIPTION, "wrong-size", is_window,
	"^[1-9][0-9]{0,11}[KMGT]?$",
	"a valid window size: expected a power of two, with K, M, G or T, such as 256M", NULL);
