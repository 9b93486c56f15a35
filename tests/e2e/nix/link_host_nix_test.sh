#!/bin/bash
# SPDX-License-Identifier: MIT
# A runner without its store disk, made by a real Nix: it is small, it refers to the closure of the
# guest, and the host links the disk that a build would have made.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
export MVMBUILD MICROVM_DISKS=$test_dir/disks
need_programs nix-build busybox jq
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
log=$test_dir/log
nix_stage_host "$test_dir/host"
cp -L "$(command -v mkdir)" "$(command -v seq)" "$(command -v head)" "$test_dir/host/bin/"
build() { # ATTRIBUTE [ARGUMENT]...
	nix_build "$top/tests/e2e/lib/nix/link-host.nix" "$1" --argstr kernelPackage "$kernel" \
		--argstr hostTools "$test_dir/host" --argstr mib "${MVM_LINKED_MIB:-4}" \
		"${@:2}" 2>"$log"
}
nix_env_setup "$test_dir/nix"
# shellcheck disable=SC2119 # no path
nix_sandbox || {
	skip "a sandbox" "$sandbox_error"
	sandbox=()
}
payload=$(build payload)

runner=$(build onHost "${sandbox[@]}")
check "nix-build makes the runner" test -x "$runner/bin/microvm-run"
[ -n "$runner" ] || { not_ok "nix-build prints a path" "$log"; finish; }
image=$(readlink -f "$runner/bin/..")
check "it has no store disk" test -z "$(find "$image/share/microvm" -name 'stage1.*')"
# What is not the kernel or the initrd.
rest=$(find "$image" "$runner" -type f ! -name initrd ! -name vmlinux ! -name kernel \
	-printf '%s\n' | awk '{ sum += $1 } END { print sum }')
check "it has less than 1 MB beside kernel and initrd: $rest bytes" test "$rest" -lt 1000000
nix-store -qR "$runner" >"$test_dir/closure"
expect "its references keep the system" "$test_dir/closure" "^$(build toplevel)$"
expect "and the other paths" "$test_dir/closure" "^$payload$"
{ echo "# nix path-info -s and -S of the image and of the runner:"
nix --extra-experimental-features nix-command path-info -s -S "$image" "$runner"; } 2>&1 |
	sed "s|^$NIX_STORE_DIR|#  ...|"

disk=$("$MVMBUILD" link -q --no-cache "$runner")
built=$(build inImage "${sandbox[@]}")
check "the host links the disk that the build makes" cmp "$disk" "$built/share/microvm/stage1.erofs"
found=$(env -i MICROVM_DISKS="$MICROVM_DISKS" PATH=/nowhere "$runner/bin/microvm-link" --no-cache)
check "microvm-link finds the mvmbuild of the host's path" test "$found" = "$disk"

before=$(date +%s%N)
second=$(build onHost "${sandbox[@]}" --argstr config second)
echo "# a changed file: $((($(date +%s%N) - before) / 1000000)) ms, with the evaluation"
check "a changed file makes another runner" test -n "$second" -a "$second" != "$runner"
check "with another disk" test "$("$MVMBUILD" link -q --no-cache "$second")" != "$disk"
finish
