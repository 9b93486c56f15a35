#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the documents that the program itself knows best: docs/generate.sh MVMBUILD DIRECTORY.
# Writes options.md, schema.json, part-schema.json, host-options.md, host-schema.json, errors.md,
# hypervisors.md, runner.md, mvmbuild.1, microvm.1, vm.yaml.5, and known.nix and options.nix of
# templates/nix, to DIRECTORY.
set -euo pipefail
mvmbuild=$1 microvm=$(dirname "$1")/microvm out=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
"$mvmbuild" options >"$out/options.md"
"$mvmbuild" schema >"$out/schema.json"
"$mvmbuild" schema --part >"$out/part-schema.json"
"$mvmbuild" options --host >"$out/host-options.md"
"$mvmbuild" schema --host >"$out/host-schema.json"
jq -rf "$here/known.jq" "$out/schema.json" >"$out/known.nix"
"$mvmbuild" options --nix >"$out/options.nix"

# The commands of mvmbuild: the first words of the heads in its help.
commands() { "$mvmbuild" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]\+\( [a-z]\+\)\?\).*/\1/p'; }

# The items of a section of a help text as "HEAD<tab>TEXT": "  HEAD   TEXT", the text in column 29
# and on the lines below.
items() { # SECTION
	awk -v section="$1:" '
		function flush() { if (head) print head "\t" text; head = text = "" }
		function add(more) { text = text (text == "" ? "" : " ") more }
		/^[a-z ]*:$/ { flush(); on = $0 == section; next }
		/^$/ { flush(); on = 0 }
		!on { next }
		substr($0, 1, 28) ~ /^ +$/ { add(substr($0, 29)); next }
		{
			flush()
			head = $0; gsub(/^ +/, "", head)
			if ((at = match(head, /  +/)) > 0) {
				text = substr(head, at + RLENGTH); head = substr(head, 1, at - 1)
			}
		}
		END { flush() }'
}

# Every option of mvmbuild once, with the commands that have it.
options_of_commands() {
	local command
	commands | while read -r command; do
		# shellcheck disable=SC2086 # "cache gc" is two words
		"$mvmbuild" $command --help | items options | sed "s/\$/\t$command/"
	done | awk -F '\t' '
		{ key = $1 FS $2 }
		!(key in list) { order[++n] = key; list[key] = $3; count[key] = 1; next }
		{ list[key] = list[key] ", " $3; count[key]++ }
		END {
			for (i = 1; i <= n; i++) if (count[order[i]] > most) most = count[order[i]]
			for (i = 1; i <= n; i++)
				if (count[order[i]] < most) print order[i] " (" list[order[i]] ")"
			for (i = 1; i <= n; i++) if (count[order[i]] == most) print order[i]
		}'
}

# Items as a list of mdoc(7).
as_list() { sed 's/-/\\-/g; s/^\([^\t]*\)\t/.It \1\n/'; }
list() { # PROGRAM SECTION
	if [ "$1 $2" = "$mvmbuild options" ]; then
		options_of_commands
	else
		"$1" --help | items "$2"
	fi | as_list
}

# Prints the options of a Markdown reference, which precede its tables, as such a list.
reference() { # FILE
	# shellcheck disable=SC2016 # backquotes of Markdown
	awk '
		function flush() {
			if (text != "") print between text
			between = ".Pp\n"
			text = ""
		}
		/^## / { exit }
		/^### / { on = 1; gsub(/`/, ""); print ".It Ic " substr($0, 5); between = ""; next }
		!on || (/^$/ && text == "") { next }
		/^$/ { flush(); next }
		{ text = text (text == "" ? "" : " ") $0 }
		END { flush() }' "$1" |
		sed -E '/^\./!{ s/\\/\\e/g; s/`([^`]*)`/\\fB\1\\fP/g; s/-/\\-/g; }'
}

# mdoc(7) wants each sentence, and each line of at most 80 bytes, to be a line. A line of text must
# not begin like a macro.
broken() {
	sed -E '/^\./!{ s/([A-Za-z0-9)"'"'"'])([.!?]) +([A-Z`\\])/\1\2\n\3/g; }' |
		awk -v most=80 '
			/^\./ || length($0) <= most { print; next }
			{
				line = $1
				for (i = 2; i <= NF; i++)
					if (length(line " " $i) <= most)
						line = line " " $i
					else {
						print line
						line = ($i ~ /^[.\047]/ ? "\\&" : "") $i
					}
				print line
			}'
}

manual() { # NAME.SECTION
	local line program
	case $1 in microvm.*) program=$microvm ;; *) program=$mvmbuild ;; esac
	while IFS= read -r line; do
		case $line in
		.Os) echo ".Os $("$mvmbuild" --version)" ;;
		@actions@ | @commands@ | @options@) list "$program" "$(tr -d @ <<<"$line")" ;;
		@vm@) reference "$out/options.md" ;;
		@host@) reference "$out/host-options.md" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$here/$1.in" | broken >"$out/$1"
}
manual mvmbuild.1
manual microvm.1
manual vm.yaml.5

# errors.md: the text of errors.in, with the statuses that the sources have for each code, and a
# message that a test expects.
error_examples() {
	grep -EH '\[[a-z0-9.-]+\]$' tests/golden/errors/*.txt |
		sed -nE 's|^[^:]*/([^/]*)\.txt:(.*) \[([a-z0-9.-]+)\]$|\3\t\1\t\2|p' |
		sed -E 's|/F/store/|/nix/store/|g; s|/F/|/srv/|g'
}
(
	cd "$here/.."
	bash docs/error_codes.sh | cut -f 1,2 | LC_ALL=C sort -u |
		awk -F '\t' -f docs/errors.awk - <(error_examples) docs/errors.in
) >"$out/errors.md"

# hypervisors.md and runner.md are written by hand, but for what stands between the lines "<!--
# generated: hypervisors -->" or "<!-- generated: report CASE [LINES] -->" and "<!-- end -->". The
# table here has the short words of the option reference's; reports are those of
# tests/golden/reports.
matrix() {
	sed -n '/^## Hypervisors/,$p' "$out/options.md" | tail -n +3 |
		sed -E '/^\| tested/!{ s/\| yes: [^|]*/| yes \\* /g; s/\| (no|ignored): [^|]*/| \1 /g; }'
}
report() { # CASE [LINES]: so many lines and the last one
	sed -E '1d; s/^./    &/; s/([a-z])0{31}-/\1…-/' "$here/../tests/golden/reports/$1.txt" |
		awk -v most="${2:-1000}" '
			NR <= most
			NR == most + 1 { print "    …" }
			{ last = $0 }
			END { if (NR > most) print last }'
}
fill() { # FILE
	local line words
	while IFS= read -r line; do
		case $line in '<!-- end -->') skip= ;; esac
		[ -n "${skip:-}" ] || printf '%s\n' "$line"
		case $line in
		'<!-- generated: hypervisors -->') matrix ;;
		'<!-- generated: report '*)
			read -r -a words <<<"$line"
			report "${words[@]:3:${#words[@]}-4}"
			;;
		*) continue ;;
		esac
		skip=yes
	done <"$here/$1" >"$out/$1"
}
fill hypervisors.md
fill runner.md
