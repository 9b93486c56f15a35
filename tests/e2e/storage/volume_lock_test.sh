#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that two VMs never write one image: hypervisors that take no lock inherit the runner's,
# nothing grows under a running VM, and microvm-check names who uses the image. The hypervisors
# are stubs, which lock nothing; QEMU is the real one.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs e2fsck flock qemu-system-x86_64
guest_setup
guest=$(guest_build volume-guest) || exit 1
log=$test_dir/log

# This hypervisor takes no locks: it records that it runs, and keeps the descriptors that it
# inherits.
mkdir -p "$test_dir/fake/bin"
cat >"$test_dir/fake/bin/lkvm" <<'E2'
#!/bin/bash
echo $$ >"$STUB.new"
mv "$STUB.new" "$STUB"
exec sleep 9000
E2
chmod +x "$test_dir/fake/bin/lkvm"
for name in firecracker alioth cloud-hypervisor crosvm; do
	ln -s lkvm "$test_dir/fake/bin/$name"
done

# describe NAME HYPERVISOR VOLUMES [MORE]: builds a runner whose mvm-host finds KVM.
describe() {
	{
		echo "hypervisor: $2"
		echo "volumes: [$3]"
		echo "kernel: $kernel"
		if [ -n "${4:-}" ]; then echo "$4"; fi
	} | compile "$1" "$guest" || finish
	chmod -R u+w "$test_dir/$1"
	mv "$test_dir/$1/libexec/mvm-host" "$test_dir/$1/libexec/real"
	# shellcheck disable=SC2016 # for the script
	printf '#!/bin/sh\n[ "$1" != accel ] || { echo kvm; exit; }\nexec "${0%%/*}/real" "$@"\n' \
		>"$test_dir/$1/libexec/mvm-host"
	chmod +x "$test_dir/$1/libexec/mvm-host"
}
start() { # NAME: starts it in the background, and waits until the stub runs
	rm -f "$test_dir/stub"
	STUB=$test_dir/stub "$test_dir/$1/bin/microvm-run" </dev/null >"$test_dir/running" 2>&1 &
	started=$!
	wait_while_alive "$started" test -e "$test_dir/stub" || { not_ok "$1: the VM starts" \
		"$test_dir/running"; return 1; }
}
stop() { kill -TERM "$(cat "$test_dir/stub")"; wait "$started" 2>/dev/null; }
second() {
	STUB=$test_dir/stub2 timeout "$patience" "$test_dir/$1/bin/microvm-run" </dev/null >"$log" \
		2>&1
}
state() { ls -A; sha256sum ./*.img; }
refused() { # DESCRIPTION NAME REGEX
	local before
	before=$(state)
	check "$1 is refused" test "$(second "$2"; echo $?)" = 1
	expect "$1: the message has the reason" "$log" "$3"
	check "$1: microvm-check refuses it" \
		test "$("$test_dir/$2/bin/microvm-check" >"$log" 2>&1; echo $?)" = 1
	expect "$1: microvm-check has the same reason" "$log" "$3"
	check "$1: nothing has changed" test "$before" = "$(state)"
}
in_use='the volume [^ ]*: it is in use: a running VM has it'
qemu=(qemu-system-x86_64 -M "microvm,accel=tcg" -m 32 -S -nodefaults -display none -monitor stdio \
	-device "virtio-blk-device,drive=x")
# Whether QEMU would start with the image.
qemu_starts() { # IMAGE [,OPTION]
	echo quit | timeout "$patience" "${qemu[@]}" -drive \
		"file=$1,format=raw,if=none,id=x${2:-}" >"$log" 2>&1
}

for case in "kvmtool||kvmtool: {package: $test_dir/fake}" \
	"firecracker|none|firecracker: {package: $test_dir/fake}" \
	"alioth||alioth: {package: $test_dir/fake, version: '0.10'}" \
		"cloud-hypervisor||cloud-hypervisor: {package: $test_dir/fake, version: '45'}"
	do
	IFS='|' read -r name socket package <<<"$case"
	more=$package${socket:+$'\n'socket: null}
	describe "$name-16" "$name" "{image: data.img, size: 16}" "$more"
	describe "$name-32" "$name" "{image: data.img, size: 32}" "$more"
	rm -rf ./*.img .lkvm
	start "$name-16" || continue
	refused "$name, a second start" "$name-16" "$in_use|the VM is already running"
	refused "$name, a second start that would grow the disk" \
		"$name-32" "$in_use|the VM is already running"
	check "$name: a growth beside a running VM is refused" \
		test "$("$test_dir/$name-32/libexec/real" volume grow data.img 32 \
			ext4 >"$log" 2>&1; echo $?)" = 1
	expect "$name: the message says that the volume is in use" \
		"$log" 'it must grow, but it is in use'
	check "$name: QEMU cannot open the disk" test "$(qemu_starts data.img; echo $?)" = 1
	expect "$name: QEMU says that it cannot get a lock" "$log" 'lock'
	check "$name: flock, as crosvm and Alioth use it, cannot lock the disk" \
		test "$(flock -n data.img true; echo $?)" = 1
	kill -KILL "$(cat "$test_dir/stub")"
	wait "$started" 2>/dev/null
	check "$name: the lock is gone when the VM is killed" "$test_dir/$name-32/bin/microvm-check"
	start "$name-32" && stop
	check "$name: the next start makes the disk larger" \
		test "$(stat -c %s data.img)" = $((32 << 20))
	check "$name: the larger disk is sound" e2fsck -fn data.img
done

# A hypervisor that locks its disks itself would fail if the runner held a lock too.
describe crosvm crosvm "{image: data.img, size: 32}" "crosvm: {package: $test_dir/fake}"
start crosvm
check "crosvm, which locks its disks itself, inherits no flock" flock -n data.img true
check "crosvm inherits no record lock" qemu_starts data.img
stop

# QEMU uses the disk.
describe qemu qemu "{image: data.img, size: 64}" "socket: null"
mkfifo "$test_dir/monitor"
"${qemu[@]}" -drive file=data.img,format=raw,if=none,id=x <"$test_dir/monitor" \
	>"$test_dir/monitored" 2>&1 &
exec 8>"$test_dir/monitor"
wait_while_alive $! grep -qi qemu "$test_dir/monitored"
refused "kvmtool's start on QEMU's disk" kvmtool-32 "$in_use"
refused "QEMU's start with a larger size of QEMU's disk" qemu "$in_use"
describe reader kvmtool "{image: data.img, autoCreate: false, readOnly: true}" \
	"kvmtool: {package: $test_dir/fake}"
refused "a reader's start on QEMU's disk" reader "$in_use"
echo quit >&8
exec 8>&-
wait

# Readers share the image; a writer needs it alone.
describe reader2 alioth "{image: data.img, mountPoint: /data, autoCreate: false, readOnly: true}" \
	"alioth: {package: $test_dir/fake, version: '0.10'}"
start reader
check "microvm-check allows a second reader of a disk" "$test_dir/reader2/bin/microvm-check"
check "QEMU may read a disk beside a reader" qemu_starts data.img ,read-only=on
refused "a writer's start on a disk that is read" alioth-32 "$in_use"
check "QEMU cannot write to a disk that is read" test "$(qemu_starts data.img; echo $?)" = 1
stop

# A read-only VM cannot replay this journal.
debugfs -w -R 'feature needs_recovery' data.img >/dev/null 2>&1
refused "a reader's start on a disk with a journal" \
	reader2 'start that VM once, or run e2fsck -fp data.img'
debugfs -w -R 'feature ^needs_recovery' data.img >/dev/null 2>&1

# This volume is a device of the host.
device=$(losetup -f --show data.img 2>/dev/null)
if [ -n "$device" ]; then
	trap 'umount "$test_dir/mnt" 2>/dev/null; losetup -d "$device" 2>/dev/null; test_end' EXIT
	describe device kvmtool "{image: $device, autoCreate: false}" \
		"kvmtool: {package: $test_dir/fake}"
	start device
	refused "a second start on a block device" device "$in_use"
	stop
	mkdir "$test_dir/mnt"
	if mount "$device" "$test_dir/mnt"; then
		refused "a start on a block device that the host has mounted" \
			device 'the host itself uses the device: it is mounted'
		umount "$test_dir/mnt"
	else
		skip "a device that the host has mounted" "it cannot be mounted"
	fi
else
	skip "a device of the host" "losetup makes none"
fi

finish
