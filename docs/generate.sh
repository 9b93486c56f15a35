#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the documents that the program itself knows best: docs/generate.sh MVMBUILD DIRECTORY. Writes
# options.md, schema.json, host-options.md, host-schema.json, errors.md, mvmbuild.1, microvm.1, and
# README.md with its table of hypervisors, to DIRECTORY.
set -euo pipefail
mvmbuild=$1 microvm=$(dirname "$1")/microvm out=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
"$mvmbuild" options >"$out/options.md"
"$mvmbuild" schema >"$out/schema.json"
"$mvmbuild" options --host >"$out/host-options.md"
"$mvmbuild" schema --host >"$out/host-schema.json"

# "  name  arguments   text" and "  -o, --output PATH   text" as items of a list.
help_items() { # PROGRAM SECTION
	"$1" --help | awk -v section="$2:" '
		/^[a-z ]*:$/ { on = $0 == section; next }
		/^$/ { on = 0 }
		on {
			sub(/^ +/, "")
			at = match($0, /  +/)
			rest = $0; last = ""
			while ((at = match(rest, /  +/)) > 0) { last = last substr(rest, 1, at - 1) " "; rest = substr(rest, at + RLENGTH) }
			gsub(/-/, "\\-", last); sub(/ $/, "", last)
			print ".It " last "\n" rest
		}'
}
manual() { # PROGRAM
	while IFS= read -r line; do
		case $line in
		@actions@ | @commands@ | @options@) help_items "$1" "$(tr -d @ <<<"$line")" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$here/$(basename "$1").1.in" >"$out/$(basename "$1").1"
}
manual "$mvmbuild"
manual "$microvm"

# errors.md: the text of errors.in, with the statuses that the sources have for each code, and a
# message that a test expects.
error_examples() {
	grep -H '\[[a-z0-9.-]*\]$' tests/golden/errors/*.txt |
		sed -nE 's|^[^:]*/([^/]*)\.txt:(.*) \[([a-z0-9.-]*)\]$|\3\t\1\t\2|p' |
		sed -E 's|/F/store/|/nix/store/|g; s|/F/|/srv/|g'
}
(
	cd "$here/.."
	bash docs/error_codes.sh | cut -f 1,2 | LC_ALL=C sort -u |
		awk -F '\t' -f docs/errors.awk - <(error_examples) docs/errors.in
) >"$out/errors.md"

# The README has the short of it; the reasons are in the option reference.
table=$(sed -n '/^## Hypervisors/,$p' "$out/options.md" | tail -n +3 |
	sed -E '/^\| tested/!{ s/\| yes: [^|]*/| yes \\* /g; s/\| (no|ignored): [^|]*/| \1 /g; }')
awk -v table="$table" '
	/<!-- hypervisors end -->/ { skip = 0 }
	!skip
	/<!-- hypervisors -->/ { print table; skip = 1 }' "$here/../README.md" >"$out/README.md"
