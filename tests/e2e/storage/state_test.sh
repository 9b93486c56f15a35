#!/bin/bash
# SPDX-License-Identifier: MIT
# Puts files where a hypervisor makes its sockets: none may replace a volume, or anything else that
# is not a socket of the VM. And no VM may start inside a runner, which the next build replaces.
# Stand-ins run instead of the hypervisors.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs perl jq
fixture_make "$test_dir"
cd "$test_dir" || exit
log=$test_dir/log
started=$test_dir/started

# Each removes whatever is at the path of its socket, as QEMU does, and prints which files exist.
mkdir -p tools/bin
for program in qemu-system-x86_64 cloud-hypervisor firecracker crosvm stratovirt vfkit lkvm \
	alioth; do
	# shellcheck disable=SC2016 # the stand-in's own
	printf '#!/bin/sh\ntest -z "$UNLINK" || rm -f -- "$UNLINK"\nls -A >"%s"\n' "$started" \
		>"tools/bin/$program"
done
chmod +x tools/bin/*

# compile NAME HYPERVISOR: the rest of the description is on standard input. Its mvm-host takes any
# accelerator.
compile() {
	{
		echo "hostName: vm"
		echo "toplevel: $test_dir/store/$fixture_hash-system"
		echo "storeDir: $test_dir/store"
		echo "closure: $test_dir/registration"
		echo "kernel: $test_dir/$([ "$2" = firecracker ] && echo vmlinux || echo kernel)"
		echo "hypervisor: $2"
		[ "$2" = vfkit ] || echo "$2: {package: $test_dir/tools}"
		cat
	} >"$1.yaml"
	if ! "$MVMBUILD" -q --no-cache "$1.yaml" -o "$1" >"$log" 2>&1; then
		not_ok "$1: the description compiles" "$log"
		return 1
	fi
	mv "$1/libexec/mvm-host" "$1/libexec/mvm-host.real"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\ncase $1 in accel) echo kvm ;; *) exec "$0.real" "$@" ;; esac\n' \
		>"$1/libexec/mvm-host"
	chmod +x "$1/libexec/mvm-host"
}

# run NAME SCRIPT [ARGUMENT]...: in the state directory state-NAME.
run() {
	local name=$1 script=$2
	shift 2
	mkdir -p "state-$name"
	(cd "state-$name" && timeout "$patience" "$test_dir/$name/bin/$script" "$@") >"$log" 2>&1 \
		</dev/null
}
refuses() { ! "$@"; }

# Makes a socket as a killed process leaves it or, with LIVE, one that is in use while this test
# runs.
socket_make() { # PATH [LIVE]
	if [ $# = 1 ]; then
		perl -MIO::Socket::UNIX \
			-e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die $!' "$1"
	else
		perl -MIO::Socket::UNIX \
			-e '$s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die $!; sleep 9000' "$1" >/dev/null 2>&1 &
		listener=$!
		wait_while_alive $listener test -S "$1"
	fi
}
listener=
# shellcheck disable=SC2034 # lib.sh calls it
at_end=listener_end
listener_end() { [ -z "$listener" ] || kill "$listener" 2>/dev/null; }

# ---- a volume whose name begins with the socket's ----
for hypervisor in qemu cloud-hypervisor firecracker crosvm stratovirt; do
	compile "begin-$hypervisor" "$hypervisor" <<-E2 || continue
		socket: vm
		volumes: [{image: vm_data.img, size: 16, mountPoint: /data}, {image: vm_2, size: 16, mountPoint: /more}]
	E2
	for start in first second; do
		check "$hypervisor: the $start start succeeds" run "begin-$hypervisor" microvm-run
		expect "$hypervisor, $start start: the volume vm_data.img is there" \
			"$started" '^vm_data\.img$'
		expect "$hypervisor, $start start: the volume vm_2 is there" "$started" '^vm_2$'
	done
	check "$hypervisor: the volume still has its size" \
		test "$(stat -c %s "state-begin-$hypervisor/vm_data.img")" = $((16 << 20))
done

# ---- files that a crash left ----
compile crash cloud-hypervisor <<<"vsock: {cid: 5}"
mkdir state-crash
for name in vm.sock notify.vsock notify.vsock_8888 notify.vsock_52; do
	socket_make "state-crash/$name"
done
echo kept >state-crash/notify.vsock_53
check "a VM starts beside sockets that a crash left" run crash microvm-run
expect_no "the VM's own old sockets are removed" "$started" '^(vm\.sock|notify\.vsock)$'
expect "a socket of another program beside the vsock's is kept" "$started" '^notify\.vsock_52$'
expect "a file beside the vsock's sockets is kept" "$started" '^notify\.vsock_53$'
check "microvm-check finds that VM ready" run crash microvm-check
socket_make state-crash/notify.vsock live
rm -f "$started"
check "a VM does not start when its socket is in use" refuses run crash microvm-run
expect "the message names the socket in use" "$log" 'with the socket notify\.vsock'
check "no hypervisor was started with the socket in use" test ! -e "$started"

# ---- something else in the place of a socket ----
for hypervisor in qemu cloud-hypervisor; do
	compile "plain-$hypervisor" "$hypervisor" <<<"socket: control" || continue
	mkdir "state-plain-$hypervisor"
	echo precious >"state-plain-$hypervisor/control"
	rm -f "$started"
	check "$hypervisor: a file in the place of the socket is refused" \
		refuses run "plain-$hypervisor" microvm-run
	expect "$hypervisor: microvm-run names that file" \
		"$log" '^microvm-run: vm: control exists and is not a socket'
	check "$hypervisor: microvm-check refuses that file" \
		refuses run "plain-$hypervisor" microvm-check
	expect "$hypervisor: microvm-check names that file" \
		"$log" '^microvm-check: vm: control exists and is not a socket'
	expect_no "$hypervisor: microvm-check reports nothing else" "$log" 'ready|already running'
	check "$hypervisor: that file stays" grep -qx precious "state-plain-$hypervisor/control"
	check "$hypervisor: no hypervisor was started with that file" test ! -e "$started"
done
# The file has two names, which shows only when the volume exists.
mkdir state-twice
compile twice qemu <<-E2
	socket: data.img
	volumes: [{image: $test_dir/state-twice/data.img, size: 16, mountPoint: /data}]
E2
export UNLINK=data.img
check "a volume with its whole path in the place of the socket is refused" \
	refuses run twice microvm-run
check "a second start refuses it too" refuses run twice microvm-run
unset UNLINK
expect "the message names the volume" "$log" 'data\.img exists and is not a socket'
check "the volume stays" test "$(stat -c %s state-twice/data.img)" = $((16 << 20))

# ---- inside a runner ----
compile here qemu <<<"volumes: [{image: data.img, size: 16, mountPoint: /data}]"
find here >before
ln -s here result-vm
inside() { # DIRECTORY COMMAND...
	(cd "$1" && timeout "$patience" "${@:2}") >"$log" 2>&1 </dev/null
}
for place in here here/share/microvm result-vm; do
	for script in microvm-run microvm-check; do
		rm -f "$started"
		check "$script refuses to run in $place" \
			refuses inside "$place" "$test_dir/here/bin/$script"
		expect "$script in $place says where to start the VM" "$log" \
			"^$script: vm: .*/$place is in a runner, .*: mkdir -p ~/vm && cd ~/vm && $test_dir/here/bin/microvm-run$"
		check "no hypervisor was started in $place" test ! -e "$started"
	done
done
compile other qemu <<<"mem: 256"
check "microvm-run refuses to run in another VM's runner" \
	refuses inside other "$test_dir/here/bin/microvm-run"
expect "the message says that this is a runner" "$log" 'is in a runner'
check "mvmbuild run refuses to run in its output" refuses inside other/share "$MVMBUILD" run \
	-q --no-cache "$test_dir/here.yaml" -o "$test_dir/again"
expect "mvmbuild run says that this is a runner" "$log" 'other/share is in a runner'
printf 'vms: {one: {config: {toplevel: %s, storeDir: %s, closure: %s, kernel: %s}}}\n' \
	"$test_dir/store/$fixture_hash-system" "$test_dir/store" \
	"$test_dir/registration" "$test_dir/kernel" >host.yaml
check "a host builds" "$MVMBUILD" host -q --no-cache host.yaml -o host
check "microvm-run refuses to run in a host's output" \
	refuses inside host "$test_dir/here/bin/microvm-run"
expect "the message says that this is a runner too" "$log" '/host is in a runner'
compile absolute qemu <<<"volumes: [{image: $test_dir/here/data.img, size: 16, mountPoint: /data}]"
check "microvm-run creates no volume in a runner" refuses run absolute microvm-run
expect "the message names the volume and the runner" \
	"$log" 'the volume .*/here/data.img is in a runner'
compile shares cloud-hypervisor \
	<<<"shares: [{tag: work, source: /, mountPoint: /work, proto: virtiofs}]"
check "virtiofsd-run refuses to run in a runner" \
	refuses inside shares "$test_dir/shares/bin/virtiofsd-run"
if grep -q 'virtiofsd is not' "$log"; then
	skip "virtiofsd-run says that this is a runner" "there is no virtiofsd"
else
	expect "virtiofsd-run says that this is a runner" "$log" '/shares is in a runner'
fi
check "all runners are as they were" diff before <(find here)
check "a VM starts beside its runner" inside . "$test_dir/here/bin/microvm-run"
check "its volume is beside the runner" test -s data.img
finish
