#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints an assembler source that embeds the given files, as templates/embedded.h declares them.
set -eu
# Prints the files that become part of runners; the others are for their hosts.
runner_contents() {
	for file; do
		case $file in
		templates/runner/*) cat "$file" ;;
		templates/*) ;;
		*) cat "$file" ;;
		esac
	done
}
echo '	.section .rodata'
n=0
for file; do
	printf '.Lbegin%d: .incbin "%s"\n.Lend%d: .byte 0\n' "$n" "$file" "$n"
	case $file in
	templates/*) name=${file#*/} ;;
	*) name=${file##*/} ;; # wherever it was built
	esac
	printf '.Lname%d: .asciz "%s"\n' "$n" "$name"
	n=$((n + 1))
done
printf '	.globl embedded_digest\nembedded_digest: .asciz "%s"\n' \
	"$(runner_contents "$@" | sha256sum | cut -d ' ' -f 1)"
printf '	.section .data.rel.ro, "aw"\n	.balign 8\n	.globl embedded_files\nembedded_files:\n'
i=0
while [ "$i" -lt "$n" ]; do
	printf '	.quad .Lname%d, .Lbegin%d, .Lend%d\n' "$i" "$i" "$i"
	i=$((i + 1))
done
printf '	.quad 0, 0, 0\n	.section .note.GNU-stack, "", @progbits\n'
