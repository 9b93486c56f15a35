#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks Markdown: tests/markdown.sh links|columns FILE... "links": every relative link leads to a
# file, and its anchor to a heading there. "columns": no line of prose is wider than 100 columns;
# exempt are tables, code, and lines that have no blank to be broken at. Prints what is wrong.
set -u
check=$1
shift

# Prints lines of prose as "FILE:LINE:TEXT". Code stands between fences, or after an empty line and
# indented by four columns more than its list item.
prose() {
	LC_ALL=C.UTF-8 awk '
		FNR == 1 { fenced = code = item = 0; empty = 1 }
		/^ *```/ { fenced = !fenced; next }
		fenced { next }
		/^([ \t]*|<!--.*)$/ { empty = 1; next }
		{
			match($0, /^ */)
			indent = RLENGTH
			if (empty && indent < item)
				item = 0
			code = indent >= item + 4 && (empty || code)
			empty = 0
			if (!code && match($0, /^ *([-*]|[0-9]+\.) +/))
				item = RLENGTH
		}
		!code { print FILENAME ":" FNR ":" $0 }' "$@"
}

# The anchor that GitHub gives to a heading.
anchors() { # FILE
	prose "$1" | sed -nE 's/^[^:]*:[0-9]*:#+ +//p' | sed -E 's/[^A-Za-z0-9_ -]//g; s/ /-/g' |
		tr '[:upper:]' '[:lower:]'
}

links() {
	local place target file anchor
	while IFS=$'\t' read -r place target; do
		file=${target%%#*}
		case $target in *'#'*) anchor=${target#*#} ;; *) anchor= ;; esac
		if [ -n "$file" ]; then
			file=$(dirname "$place")/$file
		else
			file=${place%:*}
		fi
		if [ ! -e "$file" ]; then
			echo "$place: there is no $file"
		elif [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; then
			echo "$place: $file has no heading for #$anchor"
		fi
	done < <(prose "$@" | grep -oE '^[^:]*:[0-9]*:|\]\([^)]*\)' |
		awk '/^\]/ { print place "\t" substr($0, 3, length($0) - 3); next }
			{ place = substr($0, 1, length($0) - 1) }' | grep -vP '\t(https?|mailto):')
}

columns() {
	prose "$@" | LC_ALL=C.UTF-8 grep -E '^[^:]*:[0-9]*:.{101}' |
		grep -vE '^[^:]*:[0-9]*:( *\||([-*>]|[ ]|[0-9]+\.)*[^ ]{90})'
}

found=$("$check" "$@")
[ -z "$found" ] || printf '%s\n' "$found"
[ -z "$found" ]
