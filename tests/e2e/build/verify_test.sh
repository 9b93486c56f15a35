#!/bin/bash
# SPDX-License-Identifier: MIT
# Changes a file of a real Nix store behind Nix's back: no build may pack it, whichever program
# makes the store disk.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build busybox
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
nix_env_setup "$test_dir/nix"
unset XDG_CACHE_HOME
system=$(nix_build "$top/tests/demo/demo.nix" toplevel)
out=$test_dir/out cache=$test_dir/cache log=$test_dir/log
mkdir "$out"

mvm() { # OUTPUT [ARGUMENT]...
	local output=$1
	shift
	"$MVMBUILD" --progress none --cache "$cache" --set hostName=demo --set toplevel="$system" \
		--set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
		-o "$out/$output" "$@" "$test_dir/vm.yaml" >"$log" 2>&1
}
fails() { ! "$@"; }
have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }
# Names, modes and contents.
all_of() { (cd "$1" && find . -type f -printf '%p %m\n' -exec sha256sum {} + | LC_ALL=C sort); }
echo '{}' >"$test_dir/vm.yaml"

# The spoiled path contains the closure's largest file.
file=$(nix-store -qR "$system" | xargs -I{} find {} -type f -printf '%s %p\n' | sort -n |
	tail -n 1 | cut -d ' ' -f 2-)
path=$NIX_STORE_DIR/$(cut -d / -f 1 <<<"${file#"$NIX_STORE_DIR"/}")
cp -a "$file" "$test_dir/good"
spoil() {
	chmod u+w "$file"
	printf x | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") - 1)) conv=notrunc status=none
	touch -d @1 "$file"
	chmod u-w "$file"
}
repair() {
	rm -f "$file"
	cp -a "$test_dir/good" "$file"
}
chmod u+w "$(dirname "$file")"

check "a build of what Nix made succeeds" mvm first
all_of "$out/first" >"$test_dir/first"
as_before() { all_of "$out/first" | diff "$test_dir/first" -; }
# refused WAY [ARGUMENT]...: such a build fails with an empty cache, and succeeds once the file is
# restored.
refused() {
	local way=$1 spoilt registered
	shift
	spoil
	rm -rf "$cache"
	check "$way: a build with a changed file is refused" fails mvm other "$@"
	spoilt=$(nix-hash --type sha256 --base32 "$path")
	registered=$(nix-store -q --hash "$path")
	check "$way: Nix finds the change too" fails nix-store --verify-path "$path"
	expect "$way: the message has the path and both hashes, as Nix prints them" \
		"$log" "error: $path was modified: .* hash is $registered, .* sha256:$spoilt "
	check "$way: there is no runner and no litter" \
		test -z "$(find "$out" -mindepth 1 -maxdepth 1 ! -name first)"
	check "$way: the cache keeps no object of the changed path" \
		test -z "$(find "$cache" -name "$(basename "$path")*" 2>/dev/null; find \
			"$cache/tmp" -type f 2>/dev/null)"
	check "$way: an existing runner is not replaced" fails mvm first --set mem=300 "$@"
	check "$way: the existing runner stays as it was" as_before
	repair
	check "$way: a build succeeds once the file is as it was" mvm other "$@"
	rm -rf "${out:?}/other"
}
refused "squashfs"
if have mksquashfs; then
	refused mksquashfs --set storeDisk.engine=mksquashfs
else
	skip mksquashfs "not there"
fi
refused erofs --set storeDiskType=erofs

# A store path that was packed before the change is not read again.
check "a build fills the cache" mvm kept
cp -a "$out/kept" "$test_dir/kept"
spoil
check "a build with a warm cache succeeds though a file was changed" mvm again
repair
check "the warm cache gives the contents of before" diff -r "$out/again" "$test_dir/kept"
finish
