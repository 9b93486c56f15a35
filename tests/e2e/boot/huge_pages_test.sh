#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a VM whose memory is huge pages. With too few of them microvm-check and microvm-run print
# how many are needed, how many are free and how to reserve them.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
pool=/sys/kernel/mm/hugepages/hugepages-2048kB
[ -w "$pool/nr_hugepages" ] || skip_all "huge pages cannot be reserved here"
[ "$(sed -n 's/^Hugepagesize: *\([0-9]*\) kB/\1/p' /proc/meminfo)" = 2048 ] ||
	skip_all "the huge pages of this kernel are not of 2 MiB"
guest_setup
probe=$(guest_build probe-guest) || exit 1
log=$test_dir/log
before=$(cat "$pool/nr_hugepages")
# shellcheck disable=SC2317 # lib.sh calls it
give_back() { echo "$before" >"$pool/nr_hugepages"; }
at_end=give_back
free() {
	echo $(($(cat "$pool/free_hugepages") - $(cat "$pool/resv_hugepages") +
		$(cat "$pool/nr_overcommit_hugepages") - $(cat "$pool/surplus_hugepages")))
}
[ "$(free)" -lt 64 ] || skip_all "others have huge pages here, or get them at any time"

{ echo 'mem: 128' && echo 'hugepageMem: true' && fast_kernel; } | compile pages "$probe" || finish
for script in microvm-check microvm-run; do
	"$test_dir/pages/bin/$script" >"$log" 2>&1 </dev/null
	check "$script fails without huge pages" test $? = 1
	expect "$script says how many huge pages are needed and how to reserve them" "$log" \
		"hugepageMem: 128 MiB need 64 huge pages of 2048 KiB, but $(free) are free; reserve them, as root, with \"echo [0-9]* >$pool/nr_hugepages\""
	expect_no "$script does not call the VM ready without them" "$log" 'ready'
done
# The command in the message must help.
eval "$(sed -n 's/.*as root, with "\(.*\)"$/\1/p' "$log")"
if [ "$(free)" -lt 64 ]; then
	skip "a guest boots with huge pages" "this machine has no memory for them"
	finish
fi
check "the command in that message reserves enough" "$test_dir/pages/bin/microvm-check"
boot pages '^probe: '
check "a guest boots with huge pages" test "$status" = 0
expect "the guest with huge pages runs to its end" "$console" '^probe: done'

{ echo 'hypervisor: kvmtool' && echo 'mem: 128' && echo 'hugepageMem: true' &&
	echo "kernel: $kernel"; } | compile hugetlbfs "$probe" || finish
if [ -e /dev/hugepages ]; then
	skip "a hugetlbfs that is missing is named" "there is one"
else
	"$test_dir/hugetlbfs/bin/microvm-check" >"$log" 2>&1 </dev/null
	expect "a hugetlbfs that is missing is named" \
		"$log" 'no hugetlbfs is mounted on /dev/hugepages'
fi
finish
