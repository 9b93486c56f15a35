/* SPDX-License-Identifier: MIT */
#include "backends/interface/command.h"

#include <stdarg.h>
#include <stdio.h>

bool pieces_have(const struct pieces *pieces, enum piece_kind kind)
{
	for (size_t i = 0; i < pieces->n; i++)
		if (pieces->v[i].kind == kind)
			return true;
	return false;
}

bool command_has(const struct command *command, enum piece_kind kind)
{
	for (size_t i = 0; i < command->arguments.n; i++)
		if (pieces_have(&command->arguments.v[i].pieces, kind))
			return true;
	return false;
}

struct argument *command_begin(struct command *command)
{
	vec_push(command->arena, &command->arguments, (struct argument){.when = WHEN_ALWAYS});
	return &command->arguments.v[command->arguments.n - 1];
}

void argument_text(struct command *command, struct argument *argument, const char *text)
{
	vec_push(command->arena, &argument->pieces,
		(struct piece){.kind = PIECE_TEXT, .text = text});
}

void argument_piece(struct command *command, struct argument *argument, enum piece_kind kind)
{
	vec_push(command->arena, &argument->pieces, (struct piece){.kind = kind});
}

void argument_macvtap(struct command *command, struct argument *argument, const char *interface)
{
	vec_push(command->arena, &argument->pieces,
		(struct piece){.kind = PIECE_MACVTAP, .text = interface});
}

void argument_bridge(struct command *command, struct argument *argument, const char *interface,
	const char *bridge)
{
	vec_push(command->arena, &argument->pieces,
		(struct piece){.kind = PIECE_BRIDGE, .text = interface, .bridge = bridge});
}

void argument_direct(struct command *command, struct argument *argument,
	const struct file_ref *image, const char *text, const char *otherwise)
{
	vec_push(command->arena, &argument->pieces,
		(struct piece){.kind = PIECE_DIRECT,
			.text = text,
			.image = image->path,
			.otherwise = otherwise,
			.in_runner = image->in_runner});
}

void argument_file_bytes(struct command *command, struct argument *argument, const char *image)
{
	vec_push(command->arena, &argument->pieces,
		(struct piece){.kind = PIECE_FILE_BYTES, .image = image});
}

void argument_sum_mib(struct command *command, struct argument *argument, unsigned long long mib,
	const char *image)
{
	vec_push(command->arena, &argument->pieces,
		(struct piece){.kind = PIECE_SUM_MIB,
			.text = arena_printf(command->arena, "%llu", mib),
			.image = image});
}

void command_add_when(struct command *command, enum when when, const char *text)
{
	struct argument *argument = command_begin(command);
	argument->when = when;
	argument_text(command, argument, text);
}

void command_add(struct command *command, const char *text)
{
	command_add_when(command, WHEN_ALWAYS, text);
}

static const char *format_text(struct arena *arena, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
	if (length >= 0)
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	return text;
}

void command_printf(struct command *command, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	command_add(command, format_text(command->arena, format, arguments));
	va_end(arguments);
}

void argument_file(struct command *command, struct argument *argument, const struct file_ref *file,
	enum piece_kind kind)
{
	if (file->in_runner) {
		argument_piece(command, argument, kind);
		argument_text(command, argument, "/");
	}
	argument_text(command, argument, file->path);
}

void command_add_file(struct command *command, const struct file_ref *file)
{
	argument_file(command, command_begin(command), file, PIECE_RUNNER);
}

void command_add_all(struct command *command, const struct strings *arguments)
{
	for (size_t i = 0; i < arguments->n; i++)
		command_add(command, arguments->v[i]);
}

void option_add(struct command *command, const char *option, const char *value)
{
	command_add(command, option);
	command_add(command, value);
}

void option_printf(struct command *command, const char *option, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	option_add(command, option, format_text(command->arena, format, arguments));
	va_end(arguments);
}

void option_file(struct command *command, const char *option, const struct file_ref *file)
{
	if (!file->path)
		return;
	command_add(command, option);
	command_add_file(command, file);
}
