#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints an assembler source that carries the given files: the table of templates/embedded.h.
set -eu
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
printf '	.section .data.rel.ro, "aw"\n	.balign 8\n	.globl embedded_files\nembedded_files:\n'
i=0
while [ "$i" -lt "$n" ]; do
	printf '	.quad .Lname%d, .Lbegin%d, .Lend%d\n' "$i" "$i" "$i"
	i=$((i + 1))
done
printf '	.quad 0, 0, 0\n	.section .note.GNU-stack, "", @progbits\n'
