#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks of the sources: shell scripts, SPDX lines, headers that stand alone, generated documents
# that are current. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
n=0 bad=0
result() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else bad=1; echo "not ok $n - $2"; fi
}

files() { git ls-files --cached --others --exclude-standard -- "$@" |
	while read -r f; do [ ! -f "$f" ] || echo "$f"; done; }

mapfile -t scripts < <(files '*.sh' '*.bash' .ci/run | grep -v '^templates/runner/')
shellcheck -x "${scripts[@]}"
result $? "shellcheck accepts all ${#scripts[@]} scripts"

missing=$(files '*.c' '*.h' '*.sh' '*.py' '*.mk' '*.nix' Makefile |
	while read -r f; do head -n 3 "$f" |
	grep -q SPDX || echo "$f"; done | grep -v '^templates/\(runner\|starter\)/')
echo "${missing:+# without: $missing}"
result "$([ -z "$missing" ] && echo 0 || echo 1)" "every source names its license"

mapfile -t sources < <(files '*.c' '*.h')
clang-format --dry-run -Werror "${sources[@]}"
result $? "clang-format would change nothing (clang-format -i FILE)"

# This counts columns, not bytes: a tab goes to the next multiple of 8, a character in UTF-8 takes
# one.
wide=$(for file in "${sources[@]}"; do
	expand "$file" | LC_ALL=C.UTF-8 grep -nE '^.{101,}' | sed "s|^|$file:|"
done)
echo "${wide:+# $wide}"
result "$([ -z "$wide" ] && echo 0 || echo 1)" "no line of the sources is wider than 100 columns"

status=0
while read -r header; do
	gcc -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -include "$header" -x c \
		/dev/null || status=1
done < <(files 'base/*.h' 'compiler/*.h' 'backends/*.h' 'imaging/*.h')
result $status "headers stand alone"

# linux/vm_sockets.h of Linux 6.8 uses types of sys/socket.h.
early=$(awk '
	FNR == 1 { kernel = "" }
	/^#include <linux\// { kernel = $2; next }
	/^#include </ && kernel { print FILENAME ": " kernel " is before " $2 }' "${sources[@]}")
echo "${early:+# $early}"
result "$([ -z "$early" ] && echo 0 || echo 1)" "kernel headers are included after those of libc"

bash tests/rooms.sh "${BUILD:-build}"
result $? "no include and no call runs upwards (tests/rooms.sh)"

# Every error code must be printed by a case in tests/golden/errors, except codes that need more
# than a description and some files:
# those that need Nix, a database, a damaged cache or store, or a kernel: tests/unit and tests/e2e
# look for the text of the message
exempt=' broken-derivation broken-kernel closure-list closure-scan damaged-cache damaged-object'
exempt+=' file-changed file-too-large foreign-file foreign-stage1 gcroot kernel-config mkfs.erofs'
exempt+=' mksquashfs nix-database nix-database-corrupt nix-database-locked nix-database-schema'
exempt+=' nix-failed unknown-file-kind'
# those of microvm and of hosts that run: tests/e2e/host
exempt+=' changed-input custody declared flake fsck host-name in-use mounted not-ours'
exempt+=' older-runner run running start-failed state systemctl unit-user unwritable-state'
exempt+=' vm-failed'
# those that need memory, a disk, a process or standard output to fail: tests/e2e/build/fault_test
exempt+=' memory out-of-memory output process unremovable unwritable-cache'
# those that depend on who owns a root file system: tests/e2e/boot/rootfs_test
exempt+=' lost-attributes rootfs-modules rootfs-owner'
# those that the checks of options, or limits too large for a test, keep from happening
exempt+=' block-size duplicate-path internal store-too-large too-many-files too-many-paths'
exempt+=' unsupported-compression volume-label volume-size '
mapfile -t codes < <(bash docs/error_codes.sh | cut -f1 | LC_ALL=C sort -u)
missing=
for code in "${codes[@]}"; do
	case $exempt in *" $code "*) continue ;; esac
	grep -qsF "[$code]" tests/golden/errors/*.txt || missing+=" $code"
done
for code in $exempt; do
	if ! printf '%s\n' "${codes[@]}" | grep -qxF "$code" ||
		grep -qsF "[$code]" tests/golden/errors/*.txt; then
		missing+=" (exempt without need: $code)"
	fi
done
echo "${missing:+# without:$missing}"
result "$([ -z "$missing" ] && echo 0 || echo 1)" "every error code has a case"

# Every code has a text, and every text a code. The codes that tests expect must be among them, so
# docs/error_codes.awk has not overlooked one.
# shellcheck disable=SC2016
differing=$(diff <(printf '%s\n' "${codes[@]}") \
	<(sed -n 's/^### `\(.*\)`$/\1/p' docs/errors.md | LC_ALL=C sort) | grep '^[<>]')
overlooked=$(sed -nE 's/^[^ ].*(error|warning|note): .* \[([a-z0-9.-]+)\]$/\2/p' \
	tests/golden/*/*.txt |
	sort -u | grep -vxF "$(printf '%s\n' "${codes[@]}")")
echo "${differing:+# $differing}${overlooked:+# overlooked: $overlooked}"
result "$([ -z "$differing$overlooked" ] && echo 0 || echo 1)" "docs/errors.md has every error code"

# The program's own help names the commands.
build=${BUILD:-build}
mapfile -t commands < <("$build/mvmbuild" --help |
	sed -n '/^commands:/,/^$/s/^  \([a-z]\+\( [a-z]\+\)\?\).*/\1/p')
wide=$({
	"$build/mvmbuild" --help
	"$build/microvm" --help
	# shellcheck disable=SC2086 # "cache gc" is two words
	for command in "${commands[@]}"; do "$build/mvmbuild" $command --help; done
	# shellcheck disable=SC2086
	for action in -u -l {-c,-r,-s,--rollback,--check,--fsck,--remove}' x'; do
		"$build/microvm" --help $action
	done
} | grep -E '^.{81,}')
echo "${wide:+# $wide}"
result "$([ ${#commands[@]} -gt 10 ] && [ -z "$wide" ] && echo 0 || echo 1)" \
	"the help of every command fits 80 columns"

mapfile -t users < <(files templates | xargs grep -l 'tests/')
echo "${users:+# these name it: ${users[*]}}"
result ${#users[@]} "templates/ uses nothing of tests/"

missing=
while read -r script; do
	name=$(basename "$script" .sh)
	grep -q "^- \`$name\`" tests/README.md || missing+=" $script"
done < <(files 'tests/e2e/*_test.sh' 'tests/long/*_test.sh')
echo "${missing:+# without:$missing}"
result "$([ -z "$missing" ] && echo 0 || echo 1)" "tests/README.md has a line for every test"

mapfile -t wrapped < <(files '*.sh' '*.mk' '*.nix' Makefile .ci/run)
wide=$(LC_ALL=C awk -f tests/columns.awk "${wrapped[@]}")
echo "${wide:+# $wide}"
result "$([ -z "$wide" ] && echo 0 || echo 1)" \
	"no line of shell, Nix or make that could be broken is wider than 100 columns"

mapfile -t documents < <(files '*.md')
mapfile -t texts < <(files docs/errors.in 'docs/*.[15].in')
bash tests/markdown.sh links "${documents[@]}"
result $? "every link in a document leads somewhere"
bash tests/markdown.sh columns "${documents[@]}" "${texts[@]}"
result $? "no line of prose is wider than 100 columns"

status=0
bash docs/generate.sh build/mvmbuild build/docs || status=1
for file in options.md schema.json part-schema.json host-options.md host-schema.json errors.md \
	hypervisors.md runner.md mvmbuild.1 microvm.1 vm.yaml.5; do
	diff -u "docs/$file" "build/docs/$file" || status=1
done
for file in known.nix options.nix; do
	diff -u "templates/nix/$file" "build/docs/$file" || status=1
done
result $status "generated documents are current (make docs)"
# Every row, in its order.
diff <(bash tests/setup.sh --table) <(sed -n '/^## Packages/,/^## /{ /^|/p }' docs/dependencies.md)
result $? "docs/dependencies.md has the packages of tests/setup.sh"

# mandoc objects to the name and version of mvmbuild in the footer, and looks for the manuals of
# other packages on this machine.
mistaken=$(mandoc -T lint docs/*.[15] 2>/dev/null |
	grep -vE 'operating system explicitly specified|referenced manual not found')
wide=$(mandoc -T ascii -O width=78 docs/*.[15] | col -b | grep -E "^.{81,}")
echo "${mistaken:+# $mistaken}${wide:+# $wide}"
result "$([ -z "$mistaken$wide" ] && echo 0 || echo 1)" "the man pages are sound and fit 80 columns"
echo "1..$n"
exit $bad
