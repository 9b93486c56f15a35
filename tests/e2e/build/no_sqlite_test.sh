#!/bin/bash
# SPDX-License-Identifier: MIT
# Links mvmbuild without a static SQLite, as on most distributions: the build leaves out mvm-nix-db,
# prints a notice, and mvmbuild refuses only VMs that need the program.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
need_programs make cc
log=$test_dir/log
cd "$top" || exit 1
built=$(dirname "${MVMBUILD:-build/mvmbuild}")

# A compiler that finds no static SQLite, and the objects of the present build.
cat >"$test_dir/cc" <<'E2'
#!/bin/sh
case " $* " in *' -static '*' -lsqlite3 '*) echo 'cannot find -lsqlite3' >&2; exit 1 ;; esac
exec cc "$@"
E2
chmod +x "$test_dir/cc"
mkdir "$test_dir/build"
cp -a "$built"/{base,compiler,backends,imaging,kernel-headers,mvm-init*,mvm-host} "$test_dir/build"
make BUILD="$test_dir/build" CC="$test_dir/cc" >"$log" 2>&1
check "mvmbuild links without a static SQLite" test $? = 0
expect "the build names what it leaves out" "$log" '^  LEFT OUT mvm-nix-db'
check "mvm-nix-db is not built" test ! -e "$test_dir/build/mvm-nix-db"

# A guest's database that outlives its image needs the program; other guests do not.
# shellcheck source=tests/golden/lib/fixture.sh
. tests/golden/lib/fixture.sh
mkdir "$test_dir/world"
fixture_make "$test_dir/world"
plan() { # NAME: the plan of a golden case
	"$test_dir/build/mvmbuild" plan "$top/tests/golden/plan/$1/vm.yaml" \
		--set storeDir="$test_dir/world/store" \
		--set toplevel="$test_dir/world/store/$fixture_hash-system" \
		--set closure="$test_dir/world/registration" --set kernel="$test_dir/world/kernel" \
		>"$log" 2>&1
}
check "a VM without a Nix database of its own can be built" plan minimal
plan kept-database
check "a VM that keeps its Nix database cannot be built" test $? = 4
expect "the message gives the reason" "$log" \
	'has no mvm-nix-db for x86_64 guests \(it was built without a static SQLite\)'
finish
