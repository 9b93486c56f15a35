#!/bin/bash
# SPDX-License-Identifier: MIT
# Shares a directory with several file systems below it whose files have the same inode numbers: the
# guest must distinguish them, by 9p and by virtiofs. Hypervisors that cannot do this must not
# start.
set -u
# shellcheck source=tests/e2e/lib/own_mounts.sh
. "$(dirname "$0")/../lib/own_mounts.sh"
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
[ -n "${MVM_TEST_MOUNTS:-}" ] || skip_all "needs root, for mounts of its own"
guest_setup
guest=$(guest_build span-guest) || exit 1
shared=$test_dir/"shared dir"
log=$test_dir/log

# Each tmpfs numbers its files from the start.
for name in a b; do
	mkdir -p "$shared/$name"
	mount -t tmpfs tmpfs "$shared/$name" || skip_all "no tmpfs can be mounted"
	echo "this is $name" >"$shared/$name/file"
	ln "$shared/$name/file" "$shared/$name/link"
done
if [ "$(stat -c %i "$shared/a/file")" != "$(stat -c %i "$shared/b/file")" ]; then
	umount "$shared"/*
	skip_all "the kernel gives files of two tmpfs different numbers"
fi
# shellcheck disable=SC2317 # lib.sh calls it
unmount() { umount "$shared"/*; }
at_end=unmount

description() { # PROTO
	echo "shares: [{tag: data, source: \"$shared\", mountPoint: /data, proto: $1}]"
	fast_kernel
}

has_virtiofsd() {
	local program
	for program in "$(type -P virtiofsd)" /usr/libexec/virtiofsd /usr/lib/virtiofsd \
		/usr/lib/qemu/virtiofsd; do
		if [ -x "$program" ]; then return 0; fi
	done
	return 1
}

for proto in 9p virtiofs; do
	if [ "$proto" = virtiofs ] && ! has_virtiofsd; then
		skip virtiofs "no virtiofsd is installed"
		continue
	fi
	description "$proto" | compile "$proto" "$guest" || finish
	boot "$proto" '^span: '
	expect "$proto: the guest mounts the share" "$console" "^span: shared by $proto\$"
	expect "$proto: the guest sees two files with one inode number as two" \
		"$console" '^span: two files$'
	expect "$proto: the guest sees two names of one file as one" \
		"$console" '^span: two names of one$'
	expect "$proto: diff in the guest tells the files apart" \
		"$console" '^span: diff: they differ$'
	expect "$proto: cp in the guest copies both files" "$console" '^span: cp: the same$'
	expect "$proto: tar in the guest packs both files" "$console" '^span: tar: the same$'
	ends_well "$proto: the guest ends with status 0"
done

# ---- hypervisors whose 9p passes inode numbers on unchanged ----
mkdir "$test_dir/programs"
for program in lkvm crosvm; do
	printf '#!/bin/sh\necho started\n' >"$test_dir/programs/$program"
	chmod +x "$test_dir/programs/$program"
done
PATH=$test_dir/programs:$PATH
for hypervisor in kvmtool crosvm; do
	{ echo "hypervisor: $hypervisor" && description 9p |
		sed "s|^kernel: .*|kernel: $kernel|"; } | compile "$hypervisor" "$guest" || finish
	# As if there were KVM.
	mv "$test_dir/$hypervisor/libexec/mvm-host" "$test_dir/$hypervisor/libexec/real-mvm-host"
	# shellcheck disable=SC2016 # the script's own
	printf '#!/bin/sh\nif [ "$1" = accel ]; then echo kvm; else exec "${0%%/*}/real-mvm-host" "$@"; fi\n' >"$test_dir/$hypervisor/libexec/mvm-host"
	chmod +x "$test_dir/$hypervisor/libexec/mvm-host"
	for script in microvm-check microvm-run; do
		"$test_dir/$hypervisor/bin/$script" >"$log" 2>&1 </dev/null
		check "$hypervisor: $script fails for a share with a file system below it" \
			test $? = 1
		expect "$hypervisor: $script names the file system" \
			"$log" "the share data: $shared/a, below $shared, is another file system"
		expect_no "$hypervisor: $script does not go on after that" "$log" 'started|ready'
	done
done
umount "$shared"/*
at_end=
mkdir "$test_dir/beside"
mount --bind "$test_dir/beside" "$shared/a"
check "a mount of the same file system below a share is allowed" \
	"$test_dir/kvmtool/bin/microvm-check"
umount "$shared/a"
finish
