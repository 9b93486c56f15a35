#!/bin/bash
# SPDX-License-Identifier: MIT
# Looks at what other programs read: standard output in a pipe.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
build=$(realpath "${BUILD:-$top/build}")
mvmbuild=$build/mvmbuild
need_programs mkfifo
unset NIX_ATTRS_JSON_FILE NIX_BUILD_TOP SOURCE_DATE_EPOCH
cd "$test_dir" || exit
fixture_make "$test_dir"
mkfifo go

cat >vm.yaml <<END
hostName: vm
hypervisor: qemu
toplevel: $test_dir/store/$fixture_hash-system
storeDir: $test_dir/store
closure: $test_dir/registration
kernel: $test_dir/kernel
END

# ---- a reader that goes away, and a disk that is full ----

# unread PROGRAM...: runs it with a pipe that nobody reads as standard output. Its status is in
# $status, its standard error in the file "error".
unread() {
	{
		read -r <go
		"$@" 2>error
		echo $? >status
	} | {
		exec </dev/null
		echo >go
	}
	status=$(cat status)
}

unread "$mvmbuild" schema
check "mvmbuild ends by SIGPIPE when nobody reads its output" test "$status" = 141
check "mvmbuild prints nothing when nobody reads its output" test ! -s error
unread "$mvmbuild" -q vm.yaml -o unread --no-cache
check "a build whose path nobody reads ends by SIGPIPE" test "$status" = 141
check "a build whose path nobody reads is complete" test -x unread/bin/microvm-run
unread "$mvmbuild" no-such.yaml
check "an error has its own status when nobody reads the output" test "$status" = 4
unread "$build/microvm" --help
check "microvm ends by SIGPIPE when nobody reads its output" test "$status" = 141
check "microvm prints nothing when nobody reads its output" test ! -s error
unread "$build/mvm-host" --help
check "mvm-host ends by SIGPIPE when nobody reads its output" test "$status" = 141
check "mvm-host prints nothing when nobody reads its output" test ! -s error
unread "$build/mvm-nix-db" --help
check "mvm-nix-db ends by SIGPIPE when nobody reads its output" test "$status" = 141

# full PROGRAM...: prints the status of a program whose output does not fit on the disk.
full() {
	"$@" >/dev/full 2>error
	echo $?
}
for program in mvmbuild microvm mvm-host mvm-nix-db; do
	check "$program fails when its output cannot be written" \
		test "$(full "$build/$program" --help)" = 1
	expect "$program reports that its output cannot be written" error 'cannot write'
done
finish
