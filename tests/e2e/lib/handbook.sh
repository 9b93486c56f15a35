# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Extracts the commands of the handbook and of other pages, for tests that run them.

# shellcheck source=tests/e2e/lib/lib.sh
[ -n "${top:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# handbook_blocks DIR: writes the blocks of the handbook's first two parts.
handbook_blocks() {
	page_blocks "$1" handbook.md 'A first VM' 'On Debian'
}

# page_blocks DIR PAGE PART...: writes the blocks of these parts of docs/PAGE to DIR/1, DIR/2, …;
# its title to DIR/N.title, and the comment before it ("as alex", "after a reboot") to DIR/N.how.
page_blocks() {
	mkdir -p "$1"
	awk -v dir="$1" -v parts="$(printf '## %s\n' "${@:3}")" '
		/^## / { wanted = index("\n" parts "\n", "\n" $0 "\n") }
		/^###? / { title = $0; sub(/^#+ /, "", title) }
		/^<!-- .* -->$/ { how = substr($0, 6, length($0) - 9) }
		wanted && /^```sh$/ {
			n++
			print title >(dir "/" n ".title")
			print how >(dir "/" n ".how")
			how = ""
			inside = 1
			next
		}
		/^```$/ { inside = 0 }
		inside { print >(dir "/" n) }' "$top/docs/$2"
}
