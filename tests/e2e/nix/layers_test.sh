#!/bin/bash
# SPDX-License-Identifier: MIT
# Layers of the cache as derivations of a real Nix, and a cache that a sandbox is given: the image
# has the same bytes, and only what changed is made again.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
export MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox jq
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
log=$test_dir/log
nix_stage_host "$test_dir/host"
cp -L "$(command -v mkdir)" "$(command -v rm)" "$test_dir/host/bin/"
expression=$top/tests/e2e/lib/nix/layers.nix
arguments=(--argstr kernelPackage "$kernel" --argstr hostTools "$test_dir/host")
build() { # ATTRIBUTE [ARGUMENT]...
	nix_build "$expression" "$1" "${arguments[@]}" "${@:2}" 2>"$log"
}

# packed RUNNER: how many store paths the image's build packed, and how many came from caches
packed() {
	nix-store --read-log "$(readlink -f "$1/bin/..")" 2>/dev/null |
		sed -n 's/.* \([0-9]*\) store paths packed, \([0-9]*\) from the cache.*/\1 \2/p'
}

disk() { # RUNNER
	readlink -f "$1/share/microvm/stage1.squashfs"
}

# layers [ARGUMENT]...: the derivation of each layer, as NAME PATH
layers() {
	local i drv busybox
	busybox=$(readlink -f "$(command -v busybox)")
	for i in 0 1 2 3; do
		drv=$(nix-instantiate "$expression" -A "layers.$i" "${arguments[@]}" \
			--argstr busyboxProgram "$busybox" "$@" 2>"$log")
		echo "${drv##*mvm-layer-} $drv"
	done
}

# shellcheck disable=SC2317 # check calls it
fails() { ! "$@"; }

nix_env_setup "$test_dir/nix"
plain=$(build plain)
check "nix-build makes the runner" test -x "$plain/bin/microvm-run"
layered=$(build layered)
check "nix-build makes the runner from layers" test -x "$layered/bin/microvm-run"
[ -n "$layered" ] || { not_ok "nix-build prints a path" "$log"; finish; }
check "layers do not change the bytes of the disk" cmp "$(disk "$plain")" "$(disk "$layered")"
check "layers do not change the rest of the image" \
	diff -r "$(readlink -f "$plain/bin/..")" "$(readlink -f "$layered/bin/..")"
read -r all none <<<"$(packed "$plain")"
read -r rest reused <<<"$(packed "$layered")"
check "without layers, every path is packed" test "$all" -gt 6 -a "$none" = 0
check "with layers, the configuration is packed" test "$((rest + reused))" = "$all"
check "with layers, little else is packed" test "$rest" -lt 6 -a "$rest" -gt 0
nix-store -qR "$layered" >"$test_dir/closure"
expect_no "the runner does not need the layers" "$test_dir/closure" '-mvm-layer-'
drops='builtins.compareVersions builtins.nixVersion "2.18" >= 0'
if [ "$(nix-instantiate --eval -E "$drops")" = true ]; then
	size=$(xargs du -sc -B1 <"$test_dir/closure" | tail -n 1 | cut -f 1)
	check "the runner's closure is small" test "$size" -lt 100000000
fi
layers >"$test_dir/before"
check "an empty layer is left out" test "$(wc -l <"$test_dir/before")" = 4
for i in 0 1 2 3; do
	check "the same layer is made again: $i" build "layers.$i" --check
done

# A change makes its layer again, and the image.
layers --argstr config second | diff "$test_dir/before" - >"$test_dir/changed"
check "a change of the configuration changes no layer" test ! -s "$test_dir/changed"
second=$(build layered --argstr config second)
check "it packs only the configuration" test "$(packed "$second")" = "$rest $reused"
layers --argstr tool second | diff "$test_dir/before" - | sed -n 's/^> \([a-z]*\).*/\1/p' \
	>"$test_dir/changed"
check "a changed package changes its layer and no other" \
	test "$(cat "$test_dir/changed")" = packages
second=$(build layered --argstr tool second)
check "a runner from the changed layer packs only the rest" \
	test "$(packed "$second")" = "$rest $reused"
check "a disk that is made as a whole has no layers" test '[ ]' = \
	"$(nix-instantiate --eval --strict -A without "$expression" "${arguments[@]}")"

# In a sandbox, the files of the store and of a cache that it is given belong to nobody.
cache=$test_dir/cache
"$MVMBUILD" cache pack --progress none --cache "$cache" --set "storeDir=$NIX_STORE_DIR" \
	--set storeDisk.level=5 "$(build linux)" "$(build kernelModules)" >"$log" 2>&1
chmod -R a+rX "$cache"
[ "$(id -u)" != 0 ] || chown -R 12345 "$cache" # root runs the build, too
if nix_sandbox "$cache"; then
	check "in a sandbox, layers have the same bytes" build "layers.2" "${sandbox[@]}" --check
	third=$(build layered "${sandbox[@]}" --argstr config third)
	check "in a sandbox, layers are used without an option" \
		test "$(packed "$third")" = "$rest $reused"
	if [ "$(id -u)" = 0 ]; then
		check "in a sandbox, a cache of others is refused" \
			fails build shared "${sandbox[@]}" --argstr from "$cache"
		expect "the error names --cache-owner" "$log" 'give --cache-owner [0-9]* to trust'
	fi
	shared=$(build shared "${sandbox[@]}" --argstr from "$cache" --argstr owner nobody)
	read -r _ reused <<<"$(packed "$shared")"
	check "with --cache-owner, the cache is used" test "$reused" = 2
	check "it does not change the bytes" cmp "$(disk "$plain")" "$(disk "$shared")"
	victim=$(find "$cache" -type f -size +100k | sort | head -n 1)
	printf '\1\2\3' | dd of="$victim" bs=1 seek=50000 conv=notrunc status=none
	shared=$(build shared "${sandbox[@]}" --argstr from "$cache" --argstr owner nobody \
		--argstr config third)
	check "a damaged cache does not change the bytes" cmp "$(disk "$third")" "$(disk "$shared")"
	nix-store --read-log "$(readlink -f "$shared/bin/..")" >"$log" 2>&1
	expect "the damage is reported" "$log" 'was damaged'
else
	skip "layers in a sandbox" "$sandbox_error"
fi
finish
