#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that stage 1 does its steps, which may be programs, in the plan's order
# (imaging/guest/init/plan.h). The test adds steps of its own and a static program, busybox, to
# mvmbuild's initrd.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
probe=$(guest_build probe-guest) || exit 1
fast_kernel | compile vm "$probe" || finish
chmod -R u+w "$test_dir/vm"
plan=$(gzip -dc "$test_dir/vm/share/microvm/initrd" |
	busybox cpio -i --to-stdout mvm/plan 2>/dev/null)
mkdir -p "$test_dir/more/mvm/programs" "$test_dir/more/mvm/files"
cp "$(command -v busybox)" "$test_dir/more/mvm/programs/busybox"

# steps NAME LINE...: makes the runner $test_dir/NAME do these steps after its own. They are in a
# second archive, which the kernel unpacks after the first.
steps() {
	rm -rf "${test_dir:?}/$1"
	cp -r "$test_dir/vm" "$test_dir/$1"
	printf '%s\n' "$plan" "${@:2}" >"$test_dir/more/mvm/plan"
	(cd "$test_dir/more" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) \
		>>"$test_dir/$1/share/microvm/initrd"
}

# Blanks in the plan are \040. The script prints the directory's contents and its arguments.
# shellcheck disable=SC2016 # the guest's shell expands it
script='echo\040"told:\040$0\040$1\040$(cat\040/run/mvm/seed)\040$(stat\040-c\040%a:%u:%g\040/made/store)\040$(test\040-e\040/late\040||\040echo\040early)"'
steps ordered 'file mvm/files/seed /run/mvm/seed 644'
boot ordered '^stage1: giving up'
expect "a file that the initramfs lacks is named" \
	"$console" '^stage1: FAILED: cannot write /run/mvm/seed: No such file or directory$'

echo seed >"$test_dir/more/mvm/files/seed"
steps ordered 'directory /made/store 1775 0 30000' "file mvm/files/seed /run/mvm/seed 644" \
	"run mvm/programs/busybox sh -c $script name an\\040argument" 'link /nowhere /late' \
	'run mvm/programs/busybox sh -c test\040-h\040/late\040&&\040echo\040told:\040late'
boot ordered '^probe: '
expect "a program of stage 1 gets its arguments and the results of the steps before it" \
	"$console" '^told: name an argument seed 1775:0:30000 early$'
expect "the next program gets the results of the steps between" "$console" '^told: late$'
expect_no "no step of stage 1 failed" "$console" 'stage1: FAILED'
expect "the files for these programs are gone when the guest runs" \
	"$console" '^probe: scratch gone$'

steps failing 'run mvm/programs/busybox sh -c echo\040the\040reason>&2;exit\0403'
boot failing '^stage1: giving up'
check "a program that fails ends the VM with status 1" test "$status" = 1
expect "the message of a failed program is on the console" "$console" '^the reason$'
expect "a failed program is named with its status" \
	"$console" '^stage1: FAILED: sh ended with status 3$'
expect_no "the guest does not start after a failed program" "$console" '^probe: '

steps killed 'run mvm/programs/busybox sh -c kill\040-9\040$$'
boot killed '^stage1: giving up'
expect "a program that a signal ended is named with the signal" \
	"$console" '^stage1: FAILED: sh was ended by signal 9$'

steps missing 'run mvm/programs/none none'
boot missing '^stage1: giving up'
expect "a program that does not exist is named" \
	"$console" '^stage1: cannot start none: No such file or directory$'

finish
