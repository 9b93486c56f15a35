# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For tests that boot VMs; it sources lib.sh. VMs run in a state directory, $test_dir/state.

# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/vmlinux.sh
. "$top/tests/e2e/lib/vmlinux.sh"
PATH=$PATH:/usr/sbin:/sbin
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
console=$test_dir/console
# A VM that makes no progress for this number of seconds is ended.
limit=90

# guest_setup: makes the test's own Nix store, and sets $kernel (an unpacked package) and $vmlinux,
# the same kernel uncompressed, which boots 3 seconds earlier under emulation. Changes to the state
# directory.
guest_setup() {
	need_programs nix-build busybox qemu-system-x86_64 xz
	kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
	nix_env_setup "$test_dir/nix"
	vmlinux=$test_dir/vmlinux
	kernel_unpack "$kernel"/boot/vmlinuz-* "$vmlinux"
	mkdir "$test_dir/state"
	cd "$test_dir/state" || exit 1
}

# guest_build FILE [ARGUMENT of nix-build]...: prints the store path of tests/e2e/lib/nix/FILE.nix's
# toplevel.
guest_build() {
	nix_build "$top/tests/e2e/lib/nix/$1.nix" toplevel "${@:2}"
}

# compile NAME TOPLEVEL [ARGUMENT of mvmbuild]...: standard input is the rest of the description, in
# YAML. The runner is $test_dir/NAME; all VMs of a test have the hostName vm.
compile() {
	local name=$1 toplevel=$2
	{
		echo "hostName: vm"
		echo "toplevel: $toplevel"
		echo "storeDir: $NIX_STORE_DIR"
		cat
	} >"$test_dir/$name.yaml"
	rm -rf "${test_dir:?}/$name"
	"$mvmbuild" "$test_dir/$name.yaml" --cache "$test_dir/cache" -o "$test_dir/$name" "${@:3}" \
		>"$test_dir/$name.log" 2>&1 && return
	not_ok "$name: it compiles" "$test_dir/$name.log"
	return 1
}

# The kernel that boots fastest, for a description.
fast_kernel() {
	echo "kernel: $vmlinux"
	echo "kernelModules: $kernel"
}

# boot NAME SIGN [PARAMETER]...: runs the VM to its end. $console is the file of its console,
# $status its exit status.
boot() {
	local name=$1 sign=$2
	shift 2
	MICROVM_KERNEL_PARAMS="quiet $*" vm_run "$limit" "$console" "$sign" \
		"$test_dir/$name/bin/microvm-run" && status=0 || status=$?
}

# ends_well DESCRIPTION: the VM that boot ran has ended with status 0; its console is shown if not.
ends_well() {
	if [ "$status" = 0 ]; then ok "$1"; else not_ok "$1: it is $status" "$console"; fi
}

# boot_start NAME [PARAMETER]...: starts it.
boot_start() {
	MICROVM_KERNEL_PARAMS="quiet ${*:2}" vm_start "$limit" "$console" \
		"$test_dir/$1/bin/microvm-run"
}
