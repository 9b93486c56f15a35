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

mapfile -t scripts < <(files '*.sh' .ci/run | grep -v '^templates/runner/')
shellcheck -x "${scripts[@]}"
result $? "shellcheck accepts all ${#scripts[@]} scripts"

missing=$(files '*.c' '*.h' '*.sh' '*.mk' '*.nix' Makefile | while read -r f; do head -n 3 "$f" | grep -q SPDX || echo "$f"; done | grep -v '^templates/\(runner\|starter\)/')
echo "${missing:+# without: $missing}"
result "$([ -z "$missing" ] && echo 0 || echo 1)" "every source names its license"

mapfile -t sources < <(files '*.c' '*.h')
clang-format --dry-run -Werror "${sources[@]}"
result $? "clang-format would change nothing (clang-format -i FILE)"

# Columns, not bytes: a tab goes to the next multiple of 8, a character in UTF-8 takes one.
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

bash tests/rooms.sh "${BUILD:-build}"
result $? "no include and no call runs upwards (tests/rooms.sh)"

# A code is the beginning of a case's name in tests/golden/errors, where it is printed. Exempt: what
# is tested by its text with a real database, a scan or a running host; and what needs memory, a
# disk or standard output to fail, a program built
# wrong or without its cross compiler, or a cache of somebody else.
exempt=' closure-list closure-scan gcroot nix-database nix-database-corrupt nix-database-locked nix-database-schema nix-failed run'
# of microvm and host
exempt+=' vm-failed changed-input custody declared flake foreign-file fsck in-use mounted not-ours running state systemctl unwritable-state'
exempt+=' internal unusable-cache foreign-stage1 kernel-config out-of-memory output unreadable-file unwritable-file '
missing=
error_calls='\b(diag_error|diag_warning|diag_note|wrong|refuse|closure_error)'
for code in $(cat compiler/*.c compiler/*/*.c |
	grep -Pzo "$error_calls"'\([^;"]*"\K[a-z0-9]+(-[a-z0-9]+)*(?=")' |
	tr '\0' '\n' | sort -u); do
	case $exempt in *" $code "*) continue ;; esac
	grep -qsF "[$code]" tests/golden/errors/"$code"*.txt || missing+=" $code"
done
echo "${missing:+# without:$missing}"
result "$([ -z "$missing" ] && echo 0 || echo 1)" "every error code has a case"

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

status=0
bash docs/generate.sh build/mvmbuild build/docs || status=1
for file in options.md schema.json host-options.md host-schema.json mvmbuild.1 microvm.1; do
	diff -u "docs/$file" "build/docs/$file" || status=1
done
diff -u README.md build/docs/README.md || status=1
result $status "generated documents are current (make docs)"
echo "1..$n"
exit $bad
