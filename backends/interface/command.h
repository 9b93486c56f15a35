/* SPDX-License-Identifier: MIT */
/*
 * command: a hypervisor's argument list as data. Some parts are only known where and when the VM
 * starts.
 */
#ifndef MVM_BACKENDS_INTERFACE_COMMAND_H
#define MVM_BACKENDS_INTERFACE_COMMAND_H

#include <stdbool.h>

#include "base/arena.h"

/*
 * A file that the hypervisor opens: in the runner (a path relative to it) or on the host (a path as
 * given).
 */
struct file_ref {
	const char *path; /* NULL: no file */
	bool in_runner;
};

enum piece_kind {
	PIECE_TEXT,          /* unchanged */
	PIECE_RUNNER,        /* the runner's absolute path */
	PIECE_RUNNER_COMMAS, /* the same with every comma doubled */
	PIECE_RUNNER_JSON,   /* the same, escaped for a JSON string, without the quotes */
	/* kernel parameters determined at the start, each with a blank before it; may be empty */
	PIECE_PARAMETERS,
	PIECE_PARAMETERS_JSON,
	PIECE_MACVTAP, /* the device of the macvtap interface `text`: /dev/tap7 */
	/* -netdev of QEMU for the interface `text` on the `bridge` */
	PIECE_BRIDGE,
	PIECE_STATE_URL,   /* the state directory's absolute path, escaped for a URL */
	PIECE_AIO,         /* "io_uring", or "threads" where that is forbidden */
	PIECE_ENGINE_JSON, /* PIECE_AIO in Firecracker's words: "Async", "Sync" */
	/* `text` if the file system of `image` supports direct I/O, else `otherwise` */
	PIECE_DIRECT,
	PIECE_WAYLAND, /* the socket of the user's Wayland compositor */
	/* QEMU's option for changing to a user, and what its version has before the user's name */
	PIECE_RUN_AS,
	PIECE_RUN_AS_KEY,
	PIECE_FILE_BYTES, /* the size of the runner's file `image`, in bytes */
	PIECE_SUM_MIB,    /* the sum of `text`, in MiB, and the size of `image`, rounded up */
};

struct piece {
	enum piece_kind kind;
	const char *text;
	const char *image;     /* of PIECE_DIRECT, PIECE_FILE_BYTES and PIECE_SUM_MIB */
	const char *bridge;    /* of PIECE_BRIDGE */
	const char *otherwise; /* of PIECE_DIRECT */
	bool in_runner;        /* of PIECE_DIRECT: `image` is relative to the runner */
};

/*
 * The accelerator that an argument is for. WHEN_UNAIDED: unless a setuid program connects an
 * interface to its bridge.
 */
enum when { WHEN_ALWAYS, WHEN_KVM, WHEN_TCG, WHEN_UNAIDED };

struct pieces {
	struct piece *v;
	size_t n, capacity;
};

struct argument {
	enum when when;
	struct pieces pieces;
};

/* A file that is written when the VM starts. */
struct document {
	const char *name; /* in the state directory */
	struct pieces pieces;
};

struct command {
	struct arena *arena;
	VEC(struct argument) arguments; /* the program first */
};

/* Whether there is a piece of the kind. */
bool pieces_have(const struct pieces *pieces, enum piece_kind kind);
bool command_has(const struct command *command, enum piece_kind kind);

/* Each adds one argument. */
void command_add(struct command *command, const char *text);
void command_add_when(struct command *command, enum when when, const char *text);
void command_printf(struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Adds an empty argument to be filled by the functions for pieces; valid until the next one is
 * added.
 */
struct argument *command_begin(struct command *command);
void argument_text(struct command *command, struct argument *argument, const char *text);
/* Adds a piece of kind PIECE_DIRECT. */
void argument_direct(struct command *command, struct argument *argument,
	const struct file_ref *image, const char *text, const char *otherwise);
/* Adds a piece of kind PIECE_FILE_BYTES. */
void argument_file_bytes(struct command *command, struct argument *argument, const char *image);
/* Adds a piece of kind PIECE_SUM_MIB. */
void argument_sum_mib(struct command *command, struct argument *argument, unsigned long long mib,
	const char *image);
void argument_macvtap(struct command *command, struct argument *argument, const char *interface);
void argument_bridge(struct command *command, struct argument *argument, const char *interface,
	const char *bridge);
void argument_piece(struct command *command, struct argument *argument, enum piece_kind kind);
/* Adds a file's path to an argument; `kind` selects how the runner's path is written. */
void argument_file(struct command *command, struct argument *argument, const struct file_ref *file,
	enum piece_kind kind);
/* Adds a file's path as an argument. */
void command_add_file(struct command *command, const struct file_ref *file);
void command_add_all(struct command *command, const struct strings *arguments);

/* Each adds two arguments: an option and its value. */
void option_add(struct command *command, const char *option, const char *value);
void option_printf(struct command *command, const char *option, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds neither if there is no file. */
void option_file(struct command *command, const char *option, const struct file_ref *file);

#endif
