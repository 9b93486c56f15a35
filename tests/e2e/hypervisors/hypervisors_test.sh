#!/bin/bash
# SPDX-License-Identifier: MIT
# Starts the other hypervisors that are installed, with KVM in the lab: a guest that counts its
# boots on a volume, twice; one with a tap and a vsock of the host's kernel; and one that is
# ballooned, asked to stop, cut off and killed. Debian has none of these hypervisors: those that
# are not in PATH and cannot be installed are skipped. The guests boot Debian's cloud kernel,
# which is smaller.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
# shellcheck source=tests/e2e/lib/cargo.sh
. "$top/tests/e2e/lib/cargo.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 ldd ip socat
# StratoVirt is not among them: with Debian's kernels it finds no disks.
declare -A programs=([cloud-hypervisor]=cloud-hypervisor [firecracker]=firecracker [crosvm]=crosvm \
	[kvmtool]=lkvm [alioth]=alioth)

# find_program NAME: prints the path of its program, or the reason why it is missing.
find_program() {
	case $1 in
	alioth) cargo_tool alioth-cli alioth 0.12.0 ;;
	*) type -P "${programs[$1]}" || { echo "${programs[$1]} is not installed" && false; } ;;
	esac
}

installed=()
for name in "${!programs[@]}"; do
	if program=$(find_program "$name"); then
		installed+=("$name")
		programs[$name]=$program
	else
		skip "$name" "$program"
	fi
done
[ ${#installed[@]} != 0 ] || finish
kernel=$("$top/tests/e2e/lib/kernel.sh" cloud-amd64) || { skip "all" "no kernel to boot"; finish; }
nix_env_setup "$test_dir/nix"
console=$test_dir/console
guest=$(nix_build "$top/tests/e2e/lib/nix/volume-guest.nix" toplevel) || exit 1

probe=$(nix_build "$top/tests/e2e/lib/nix/probe-guest.nix" toplevel) || exit 1
stage_programs "$test_dir/guest-files" socat
net_guest=$(nix_build "$top/tests/e2e/lib/nix/net-guest.nix" toplevel --argstr guestFiles \
	"$test_dir/guest-files") || exit 1

# runner NAME TOPLEVEL: makes $test_dir/runners/NAME.
# shellcheck disable=SC2317 # check calls it
runner() {
	"$MVMBUILD" -q "$test_dir/$1.yaml" --set toplevel="$2" --set storeDir="$NIX_STORE_DIR" \
		--set kernel="$kernel" -o "$test_dir/runners/$1"
}

# The other hypervisors implement vsock with Unix sockets.
has_vhost_vsock() {
	case $1 in alioth | crosvm | kvmtool) ;; *) false ;; esac
}

# The guests of the other hypervisors are stopped from inside.
has_shutdown() {
	case $1 in cloud-hypervisor | crosvm | firecracker) ;; *) false ;; esac
}

mkdir "$test_dir/runners"
lab_stage "$test_dir/files" || exit 1
for name in "${installed[@]}"; do
	stage_programs "$test_dir/files" "${programs[$name]}" || exit 1
	cp -L "${programs[$name]}" "$test_dir/files/usr/bin/" # from wherever it is on this machine
	cat >"$test_dir/$name.yaml" <<-E2
		hostName: $name
		hypervisor: $name
		mem: 256
		volumes: [{image: $name.img, mountPoint: /data, size: 16}]
	E2
	check "$name: a VM with a volume compiles" runner "$name" "$guest"
	{
		echo "export MICROVM_KERNEL_PARAMS='quiet$([ "$name" != cloud-hypervisor ] ||
			echo ' end=poweroff')'"
		echo "echo 'lab: start $name'"
		for _ in 1 2; do
			echo "timeout --foreground 1200 \"\$runners/$name/bin/microvm-run\" </dev/null 2>&1 | sed 's/^/$name: /'"
			echo "echo \"lab: $name status \${PIPESTATUS[0]}\""
		done
	} >>"$test_dir/script"
done
for name in "${installed[@]}"; do
	has_vhost_vsock "$name" || continue
	cat >"$test_dir/$name-net.yaml" <<-E2
		hostName: $name-net
		hypervisor: $name
		mem: 256
		vsock: {cid: 42}
		interfaces: [{type: tap, id: tap0, mac: "02:00:00:00:00:01"}]
	E2
	check "$name: a VM with a tap and a vsock compiles" runner "$name-net" "$net_guest"
	cat >>"$test_dir/script" <<-E2
		echo 'lab: start $name-net'
		mapfile -t flags <"\$runners/$name-net/share/microvm/tap-flags"
		ip tuntap add name tap0 mode tap "\${flags[@]}"
		ip address add 192.0.2.1/24 dev tap0
		ip link set tap0 up
		seq 100000 >file
		socat -u OPEN:file TCP-LISTEN:1024,reuseaddr &
		socat -U VSOCK-LISTEN:1024 EXEC:'echo hello' &
		timeout --foreground 1200 "\$runners/$name-net/bin/microvm-run" </dev/null 2>&1 | sed 's/^/$name: /'
		echo "lab: $name-net status \${PIPESTATUS[0]}"
		kill %1 %2 2>/dev/null
		wait
		ip tuntap del name tap0 mode tap "\${flags[@]}"
	E2
done
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" ||
	{ not_ok "the lab is built"; finish; }
lab_run 800 "$console" "$test_dir"
for name in "${installed[@]}"; do
	expect "$name: the guest mounts the store disk" \
		"$console" "^$name: volume: [^ ]+ $NIX_STORE_DIR squashfs ro"
	expect "$name: the guest writes to its volume" "$console" "^$name: volume: boot 1"
	expect "$name: the next boot finds what was written" "$console" "^$name: volume: boot 2"
	check "$name: both starts end with status 0" \
		test "$(grep -c "^lab: $name status 0" "$console")" = 2
	has_vhost_vsock "$name" || continue
	expect "$name: a file reaches the guest by the tap undamaged" \
		"$console" "^$name: net: file $(seq 100000 | sha256sum)"
	expect "$name: the host's words reach the guest by the vsock" \
		"$console" "^$name: net: vsock hello"
	expect "$name: the VM with a tap and a vsock ends with status 0" \
		"$console" "^lab: $name-net status 0"
done

# Another lab ends VMs in several ways.
ending=()
for name in "${installed[@]}"; do
	has_shutdown "$name" || continue
	ending+=("$name")
	cat >"$test_dir/$name-ends.yaml" <<-E2
		hostName: $name-ends
		hypervisor: $name
		mem: 256
		balloon: true
		volumes: [{image: data.img, mountPoint: /data, size: 16}]
		stage1: {modules: [button, evdev]}
	E2
	check "$name: a VM with a balloon compiles" runner "$name-ends" "$probe"
done
[ ${#ending[@]} != 0 ] || finish
cat >"$test_dir/script" <<'E2'
say() { echo "lab: $name $*"; }
free_memory() { sed -n 's/^probe: free \([0-9]*\).*/\1/p' out | tail -n 1; }
# tell WHAT COMMAND...: prints the exit status of the command and its last lines.
tell() {
	local what=$1 status=0
	shift
	"$@" >said 2>&1 || status=$?
	say "$what status $status: $(tail -n 1 said)"
}
start() { # WHAT SIGN
	MICROVM_KERNEL_PARAMS="quiet probe.do=$1" "$bin/microvm-run" </dev/null >out 2>&1 &
	pid=$!
	until grep -q "$2" out || ! kill -0 $pid; do sleep 0.2; done
}
finished() { # WHAT: the VM has ended when microvm-shutdown returns (state Z is for our own wait)
	case $(cat /proc/$pid/stat 2>/dev/null) in '' | *') Z '*) say "$1 gone" ;; esac
	kill -KILL $pid 2>/dev/null
	wait $pid
	say "$1 end $?"
	sed "s/^/$name: /" out
}
ends() {
	local name=$1 bin=$runners/$1-ends/bin before pid i
	mkdir "$name" && cd "$name" || return
	start deaf '^probe: free'
	before=$(free_memory)
	tell balloon "$bin/microvm-balloon" 96
	for ((i = 0; i < 600; i++)); do
		[ "$(free_memory)" -ge $((before - 60000)) ] || break
		sleep 0.2
	done
	say "free $before $(free_memory)"
	tell deflated "$bin/microvm-balloon" 0
	tell second "$bin/microvm-run"
	MICROVM_SHUTDOWN_SECONDS=3 tell 'cut off' "$bin/microvm-shutdown"
	finished 'cut off'
	start init '^probe: ready'
	kill -KILL $pid
	wait $pid
	tell killed "$bin/microvm-shutdown"
	tell check "$bin/microvm-check"
	start init '^probe: ready'
	tell stopped "$bin/microvm-shutdown"
	finished stopped
	cd ..
}
E2
printf 'ends %s\n' "${ending[@]}" >>"$test_dir/script"
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" ||
	{ not_ok "the second lab is built"; finish; }
lab_run 400 "$console" "$test_dir"
for name in "${ending[@]}"; do
	expect "$name: the balloon takes memory" "$console" "^lab: $name balloon status 0: 96$"
	read -r before after < <(sed -n "s/^lab: $name free //p" "$console")
	check "$name: the guest has less free memory then (${before:-none}, then ${after:-none} KiB)" test "${after:-0}" -lt $((${before:-0} - 60000))
	expect "$name: the balloon gives the memory back" \
		"$console" "^lab: $name deflated status 0: 0$"
	expect "$name: a second start of a running VM is refused" "$console" \
		"^lab: $name second status 1: microvm-run: $name-ends: the VM is already running"
	expect "$name: a guest that ignores the request to stop is cut off, status 3" \
		"$console" "^lab: $name cut off status 3: .*did not shut down within 3 s; it was cut off"
	expect "$name: the hypervisor has ended when the guest was cut off" \
		"$console" "^lab: $name cut off gone"
	expect "$name: microvm-shutdown sees that a killed VM has ended" \
		"$console" "^lab: $name killed status 1: mvm-host: no VM is running here: "
	expect "$name: a killed VM may start again" \
		"$console" "^lab: $name check status 0: microvm-check: .*: ready to start in "
	expect "$name: the guest goes down when it is asked to" \
		"$console" "^lab: $name stopped status 0: $"
	expect "$name: the guest received the request" \
		"$console" "^$name: probe: (power button|ctrl-alt-del)"
	expect "$name: the guest unmounted its volume" "$console" "^$name: probe: unmounted"
	expect "$name: the hypervisor has ended when the guest went down" \
		"$console" "^lab: $name stopped gone"
	expect "$name: a VM whose guest went down ends with status 0" \
		"$console" "^lab: $name stopped end 0"
done
finish
