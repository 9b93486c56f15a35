#!/bin/bash
# SPDX-License-Identifier: MIT
# What a runner for an aarch64 host carries and does (hostSystem), on this machine: QEMU's user
# emulation runs its mvm-host, and stand-ins replace the hypervisor and ip.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
	skip_all "needs qemu-aarch64-static (the package qemu-user-static)"
need_programs jq
fixture_make "$test_dir"
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
log=$test_dir/log
cat >"$test_dir/vm.yaml" <<E2
hostName: arm
hostSystem: aarch64-linux
storeDir: $test_dir/store
toplevel: $test_dir/store/$fixture_hash-system
closure: $test_dir/registration
kernel: $test_dir/Image
vcpu: 2
interfaces: [{type: tap, id: vm-arm, mac: "02:00:00:00:00:01"}]
volumes: [{image: data.img, size: 16, mountPoint: /data}]
binScripts: {tap-up.after: 'echo "after"'}
E2
if ! "$mvmbuild" -q --no-cache "$test_dir/vm.yaml" -o "$test_dir/runner" >"$log" 2>&1; then
	! grep -q foreign-host "$log" || skip_all "this mvmbuild has no mvm-host for aarch64"
	not_ok "the runner is built" "$log"
	finish
fi

# The program's own tests, where make unit-programs has built them.
host=$test_dir/mvm-host
cp -L "$test_dir/runner/libexec/mvm-host" "$test_dir/mvm-host.aarch64"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$emulator" "$test_dir/mvm-host.aarch64" >"$host"
chmod +x "$host"
check "mvm-host is a program for aarch64" cmp -n 1 -i 18:0 "$test_dir/mvm-host.aarch64" \
	<(printf '\xb7') # EM_AARCH64
for name in host_{client,http,journal,kernel,qemu,tty,virtiofsd}_test; do
	program=$(dirname "$mvmbuild")/tests/unit/$name
	if [ ! -x "$program" ]; then
		skip "$name passes with the program for aarch64" "needs make unit-programs"
		continue
	fi
	check "$name passes with the program for aarch64" \
		env MVM_HOST="$host" timeout 300 "$program"
done

# The scripts, with this mvm-host.
tools=$test_dir/tools
mkdir "$tools" "$test_dir/state"
cp -a "$test_dir/runner/." "$test_dir/copy"
chmod -R u+w "$test_dir/copy"
rm "$test_dir/copy/libexec/mvm-host"
# No KVM of another architecture can be tried here.
{
	echo '#!/bin/sh'
	# shellcheck disable=SC2016 # it is a line of the script
	echo '[ "$1 $MICROVM_ACCEL" != "accel kvm" ] || exec echo kvm'
	sed 1d "$host"
} >"$test_dir/copy/libexec/mvm-host"
chmod +x "$test_dir/copy/libexec/mvm-host"
for program in qemu-system-aarch64 ip; do
	printf '#!/bin/sh\nprintf "%%s\\0" "$@" >>%s\n' "$test_dir/$program.arguments" \
		>"$tools/$program"
	chmod +x "$tools/$program"
done
cd "$test_dir/state" || exit
# shellcheck disable=SC2317 # check calls it
started() { # ACCELERATOR
	rm -f "$test_dir/qemu-system-aarch64.arguments"
	MICROVM_ACCEL=$1 PATH=$tools:$PATH "$test_dir/copy/bin/microvm-run" &&
		test -s "$test_dir/qemu-system-aarch64.arguments"
}
# There is no such tap; a VM without it starts.
sed -i '/^need_tap /d; /^need_interface /d' "$test_dir/copy/bin/microvm-run"
for accel in kvm tcg; do
	check "microvm-run starts the hypervisor with $accel" started "$accel"
	check "its arguments with $accel are those of the plan" cmp \
		<("$mvmbuild" plan --json "$test_dir/vm.yaml" |
			jq -j --arg accel "$accel" --arg runner "$test_dir/copy" '.command[1:][]
			| if startswith("{kvm}") then select($accel == "kvm")[5:]
				elif startswith("{tcg}") then select($accel == "tcg")[5:] else . end
			| split("{runner}") | join($runner) | split("{parameters}") | join("")
			| split("{aio}") | join("threads"), "\u0000"') \
		<(sed 's/aio=io_uring/aio=threads/g' "$test_dir/qemu-system-aarch64.arguments")
done
check "the volume is created" test "$(stat -c %s data.img)" = $((16 << 20))
PATH=$tools:$PATH MICROVM_USER=$(id -un) "$test_dir/copy/bin/tap-up" >"$log" 2>&1
check "tap-up makes the tap with a queue for each CPU" grep -qz multi_queue "$test_dir/ip.arguments"
expect "and runs what is added to it" "$log" '^after$'
finish
