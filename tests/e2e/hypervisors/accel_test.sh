#!/bin/bash
# SPDX-License-Identifier: MIT
# Starts a runner where KVM is missing, forbidden, unusable or forced. kvm_test.sh has a working
# KVM.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
nix_env_setup "$test_dir/nix"
chmod 755 "$test_dir"
console=$test_dir/console
system=$(nix_build "$top/tests/demo/demo.nix" toplevel)
"$MVMBUILD" -q "$top/tests/demo/demo.yaml" --set toplevel="$system" \
	--set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
	-o "$test_dir/runner" >"$console" 2>&1 || { not_ok "the demo is compiled" \
		"$console"; finish; }
mkdir -m 777 "$test_dir/state"
cd "$test_dir/state" || exit
run=$test_dir/runner/bin/microvm-run
unset MICROVM_ACCEL

# boots WHERE REASON COMMAND...: the demo boots under TCG, and mvm-host prints the reason.
boots() {
	local where=$1 reason=$2 status
	shift 2
	vm_run 120 "$console" '^demo: ' "$@"
	status=$?
	check "$where: the demo ends well under TCG" test "$status" = 0
	expect "$where: the guest's own checks pass" "$console" '^demo: done, 0 failures'
	[ -z "$reason" ] || expect "$where: mvm-host says why there is no KVM" "$console" \
		"^mvm-host: .*$reason.*; the guest runs slowly, without KVM"
}

# refuses WHERE STATUS REASON COMMAND...: the command starts nothing.
refuses() {
	local where=$1 wanted=$2 reason=$3 status
	shift 3
	timeout -k 5 "$patience" "$@" </dev/null >"$console" 2>&1
	status=$?
	check "$where: the start fails with status $wanted" test "$status" = "$wanted"
	check "$where: the start prints one line" test "$(wc -l <"$console")" = 1
	expect "$where: the line has the reason" "$console" "$reason"
}

# with_dev SCRIPT COMMAND...: runs the command in a /dev that SCRIPT changes.
with_dev() {
	local script=$1
	shift
	with_dev=(unshare -m --propagation private bash -euc "$script"'; exec "$@"' bash "$@")
}
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	# shellcheck disable=SC2016 # for that shell
	with_dev 'mkdir dev; mount -t tmpfs tmpfs dev
		for name in null zero full random urandom tty; do : >"dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
		mount --move dev /dev; rmdir dev' "$run"
	boots "no /dev/kvm" 'no /dev/kvm' "${with_dev[@]}"
	refuses "no /dev/kvm, but KVM is forced" 1 \
		'MICROVM_ACCEL=kvm cannot be obeyed: no /dev/kvm' env \
		MICROVM_ACCEL=kvm "${with_dev[@]}"
	if [ -e /dev/kvm ]; then
		with_dev 'mount --bind /dev/null /dev/kvm' "$run"
		boots "a /dev/kvm that is another device" '/dev/kvm exists, but is not KVM' \
			"${with_dev[@]}"
	fi
	if [ -e /dev/kvm ] && ! setpriv --reuid 65534 --regid 65534 --clear-groups \
		test -w /dev/kvm; then
		boots "no right to open /dev/kvm" '/dev/kvm' setpriv --reuid 65534 --regid 65534 \
			--clear-groups "$run"
	else
		skip "no right to open /dev/kvm" "there is none, or it is for everybody"
	fi
else
	skip "a /dev without KVM" "needs root and mount namespaces"
fi

here=$("$test_dir/runner/libexec/mvm-host" accel 2>"$test_dir/why")
if [ ! -e /dev/kvm ]; then
	skip "a KVM that is of no use" "this machine has none"
elif [ "$here" = kvm ]; then
	skip "a KVM that is of no use" "this machine's is good"
else
	boots "a KVM that is of no use" '/dev/kvm' "$run"
	refuses "a KVM that is of no use, but forced" 1 'MICROVM_ACCEL=kvm cannot be obeyed: ' env \
		MICROVM_ACCEL=kvm "$run"
	expect "microvm-check says that the guest would run without KVM" \
		<("$test_dir/runner/bin/microvm-check" 2>&1) 'runs slowly, without KVM'
fi

boots "MICROVM_ACCEL=tcg" '' env MICROVM_ACCEL=tcg "$run"
expect_no "MICROVM_ACCEL=tcg: no reason is given" "$console" '^mvm-host:'
refuses "MICROVM_ACCEL=nonsense" 1 \
	"^microvm-run: .*: MICROVM_ACCEL must be kvm or tcg, not 'nonsense'" env \
	MICROVM_ACCEL=nonsense "$run"
finish
