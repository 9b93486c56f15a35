#!/bin/bash
# SPDX-License-Identifier: MIT
# Golden tests: tests/golden/run.sh [--update]. Prints TAP.
#   tests/cases/NAME/vm.yaml   compiled; its plan and its scripts are compared with the files beside it
#   tests/errors/NAME.yaml     refused; messages and exit status are compared with NAME.txt
# "# args: …" in either gives arguments. The fixture's directory is written as /F.
set -u
cd "$(dirname "$0")/../.." || exit 1
mvmbuild=$(realpath "${MVMBUILD:-build/mvmbuild}")
update=${1:-}
work=$(mktemp -d -t mvm-golden.XXXXXX)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/golden/fixture.sh
. tests/golden/fixture.sh
fixture_make "$work"
unset NIX_ATTRS_JSON_FILE NIX_BUILD_TOP SOURCE_DATE_EPOCH
n=0 bad=0

result() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else bad=1; echo "not ok $n - $2"; fi
}

normalise() { sed -e "s|$work|/F|g"; }

# compare EXPECTED ACTUAL
compare() {
	if [ "$update" = --update ]; then
		mkdir -p "$(dirname "$1")"
		cp "$2" "$1"
	fi
	diff -u "$1" "$2"
}

common=(--set storeDir="$work/store" --set toplevel="$work/store/$fixture_hash-system" --set closure="$work/registration" --set kernel="$work/kernel")

arguments_of() { # FILE
	read -r -a args < <(sed -n "s|^# args: ||p" "$1" | sed "s|/F|$work|g")
}

test_case() { # DIRECTORY
	local name status=0 script args=()
	name=$(basename "$1")
	arguments_of "$1/vm.yaml"
	if ! "$mvmbuild" plan --json "$1/vm.yaml" "${common[@]}" "${args[@]}" 2>"$work/err" | normalise >"$work/plan.json" || [ ! -s "$work/plan.json" ]; then
		cat "$work/err"
		result 1 "case $name: plan"
		return
	fi
	compare "$1/plan.json" "$work/plan.json" || status=1
	if ! "$mvmbuild" -q --no-cache "$1/vm.yaml" "${common[@]}" "${args[@]}" -o "$work/$name" >/dev/null 2>"$work/err"; then
		cat "$work/err"
		result 1 "case $name: build"
		return
	fi
	for script in "$work/$name"/bin/*; do
		normalise <"$script" >"$work/script"
		compare "$1/bin/$(basename "$script")" "$work/script" || status=1
		shellcheck "$script" || status=1
		bash -n "$script" || status=1
	done
	result $status "case $name"
}

test_error() { # FILE
	local status=0 args=()
	arguments_of "$1"
	sed "s|/F|$work|g" "$1" >"$work/vm.yaml"
	(cd "$work" && "$mvmbuild" check vm.yaml "${args[@]}" 2>&1) >"$work/out" || status=$?
	{
		echo "status $status"
		normalise <"$work/out"
	} >"$work/actual"
	compare "${1%.yaml}.txt" "$work/actual"
	result $? "error $(basename "$1" .yaml)"
}

for directory in tests/cases/*/; do test_case "${directory%/}"; done
for file in tests/errors/*.yaml; do test_error "$file"; done
echo "1..$n"
exit $bad
