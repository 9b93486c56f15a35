#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds on file systems that share blocks, an xfs and a btrfs in files: a VM's store disks before
# and after an update share all equal blocks, and have the same bytes as on other file systems.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_root
need_programs nix-build filefrag mount
PATH=$PATH:/usr/sbin:/sbin
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
nix_env_setup "$test_dir/nix"
mounted=$test_dir/mounted log=$test_dir/log
mkdir "$mounted"
unmount() { mountpoint -q "$mounted" && umount "$mounted"; }
at_end=unmount

# 24 MB of data that does not compress stay; a small path changes.
cat >"$test_dir/vm.nix" <<'EOF'
{ text, busyboxProgram }:
let
  run = name: text: script: derivation {
    inherit name text;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-euc" script ];
    PATH = "/usr/bin:/bin";
  };
  data = run "data" "" ''mkdir "$out"; head -c 24M /dev/urandom >"$out/data"'';
in
{
  toplevel = run "system" text ''mkdir "$out"; printf '#!/bin/sh\n' >"$out/init"; chmod +x "$out/init"; echo "$text ${data}" >"$out/text"'';
}
EOF
before=$(nix_build "$test_dir/vm.nix" toplevel --argstr text before) &&
	after=$(nix_build "$test_dir/vm.nix" toplevel --argstr text after) || exit 1

compile() { # TOPLEVEL OUTPUT ARGUMENT...
	"$MVMBUILD" -q - --set toplevel="$1" --set storeDir="$NIX_STORE_DIR" \
		--set kernel="$kernel" -o "$2" "${@:3}" <<<'{hostName: shared}' >"$log" 2>&1
}
used_kib() { sync -f "$mounted" && df --output=used -k "$mounted" | tail -n 1; }
# Prints the percentage of a file's blocks that it shares with another file.
shared_percent() {
	filefrag -v "$1" |
		awk -F: \
		'$1 ~ /^ *[0-9]+$/ { n += $4; if ($6 ~ /shared/) shared += $4 } END { print int(100 * shared / n) }'
}

for fs in xfs btrfs; do
	if ! command -v "mkfs.$fs" >/dev/null; then
		skip "$fs: images share blocks" "there is no mkfs.$fs"
		continue
	fi
	truncate -s 1G "$test_dir/$fs.img"
	if ! "mkfs.$fs" -q "$test_dir/$fs.img" >"$log" 2>&1 || ! mount -o loop "$test_dir/$fs.img" \
		"$mounted" 2>"$log"; then
		skip "$fs: images share blocks" \
			"a file with it cannot be mounted: $(head -n 1 "$log")"
		continue
	fi
	for type in squashfs erofs; do
		image=share/microvm/stage1.$type
		with=(--set storeDiskType="$type")
		check "$fs, $type: the VM builds before its update" compile "$before" \
			"$mounted/$type-before" --cache "$mounted/cache" "${with[@]}"
		kib=$(used_kib)
		check "$fs, $type: the VM builds after its update" compile "$after" \
			"$mounted/$type-after" --cache "$mounted/cache" "${with[@]}"
		kib=$(($(used_kib) - kib)) percent=$(shared_percent "$mounted/$type-after/$image")
		echo "# $fs, $type: the second runner takes $kib KiB; of its image, $(stat -c %s \
			"$mounted/$type-after/$image") bytes, $percent % is shared"
		# The kernel is copied from another file system.
		check "$fs, $type: the second image takes next to no space" \
			test "$kib" -lt \
				$((2048 + $(stat -c %s \
				"$mounted/$type-after/share/microvm/kernel") / 1024))
		check "$fs, $type: 95 % of the second image's blocks are the first one's" \
			test "$percent" -ge 95
		check "$fs, $type: the updated VM builds on another file system" \
			compile "$after" "$test_dir/$type" --no-cache "${with[@]}"
		check "$fs, $type: it is the same image there" \
			cmp "$test_dir/$type/$image" "$mounted/$type-after/$image"
	done
	unmount
	rm -f "$test_dir/$fs.img"
done
finish
