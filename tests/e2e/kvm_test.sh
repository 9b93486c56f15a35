#!/bin/bash
# SPDX-License-Identifier: MIT
# A runner under KVM, in the lab.
set -u
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/nix.sh
. "$(dirname "$0")/nix.sh"
# shellcheck source=tests/e2e/lab.sh
. "$(dirname "$0")/lab.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 ldd
kernel=$("$top/tests/e2e/kernel.sh") || skip_all "no kernel to boot"
nix_env_setup "$test_dir/nix"
console=$test_dir/console

system=$(nix_build "$top/templates/demo/demo.nix" toplevel)
check "the demo is compiled" "$MVMBUILD" -q "$top/templates/demo/demo.yaml" --set toplevel="$system" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
	-o "$test_dir/runner"
cat >"$test_dir/script" <<'E2'
echo "lab: accel $("$runner/libexec/mvm-host" accel)"
"$runner/bin/microvm-check" || echo "lab: FAILED microvm-check"
# Every character of the kernel's messages would leave two machines.
MICROVM_KERNEL_PARAMS=quiet timeout 150 "$runner/bin/microvm-run"
echo "lab: status $?"
E2
lab_build "$test_dir" "$test_dir/runner" "$test_dir/script" || { not_ok "the lab is built"; finish; }
lab_run 280 "$console" "$test_dir"
expect "the lab has a KVM that is worth using" "$console" '^lab: accel kvm'
expect_no "microvm-check finds nothing missing" "$console" '^lab: FAILED'
expect "the guest has KVM's clock, which only KVM offers" "$console" '^demo: kernel .*, clock kvm-clock'
expect "the guest's checks pass" "$console" '^demo: done, 0 failures'
expect "the runner ends well" "$console" '^lab: status 0'
expect "so does the lab" "$console" '^lab: done, status 0'
sed -n 's/^demo: up/# under KVM in the lab: up/p' "$console"
finish
