#!/bin/bash
# SPDX-License-Identifier: MIT
# Lets Nix in the guest add to a writable store: a store disk, or the host's store by 9p or
# virtiofs, under an upper layer in memory, on a volume or on a virtiofs share.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs nix-store
guest_setup
limit=180
nix_stage_nix "$test_dir/nix-files"
guest=$(guest_build guest-with-nix --argstr nixFiles "$test_dir/nix-files") || exit 1
virtiofsd=$(command -v virtiofsd /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd | head -n 1)
[ "$(id -u)" = 0 ] || virtiofsd=
mkdir "$test_dir/upper"

# serve TAG DIRECTORY: runs QEMU 7's own daemon, which serves one VM and ends with it.
# shellcheck disable=SC2317 # vm_before calls it
serve() {
	local socket=vm-virtiofs-$1.sock
	rm -f "$socket"
	"$virtiofsd" --socket-path="$socket" -o source="$2" -o xattr >"$test_dir/virtiofsd-$1.log" \
		2>&1 </dev/null &
	wait_while_alive $! test -S "$socket"
}

step() { sed -n "/^BEGIN $1\$/,/^END $1 /p" "$console" | sed '1d;$d'; }

# boots TEXT: the guest adds a path with this text, builds another and looks around.
boots() {
	boot "$name" '^BEGIN store' mvm.test=store,add,build,paths,ls,mounts "mvm.text=$1"
	if [ "$status" = 0 ]; then
		ok "$name: the guest ends with status 0"
	else
		not_ok "$name: the guest ends with status 0, not $status" "$console"
	fi
	expect "$name: the store has the mode and owner that Nix wants" \
		<(step store) '^1775 0:30000$'
	for each in add build paths; do
		expect "$name: the guest's Nix succeeds at: $each" "$console" "^END $each 0\$"
	done
	expect_no "$name: the guest's Nix reports no problem" <(step add; step build; step paths) \
		'error|warning|failed|cannot|disappeared|Read-only'
	expect "$name: the store is an overlay" <(step mounts) "^overlay $NIX_STORE_DIR overlay rw,"
}

shared_by() {
	echo "{tag: store, proto: $1, source: \"$NIX_STORE_DIR\", mountPoint: \"$test_dir/nix/.ro-store\", readOnly: true}"
}
on_virtiofs="{tag: upper, proto: virtiofs, source: \"$test_dir/upper\", mountPoint: \"$test_dir/nix/.rw-store\"}"
on_volume="volumes: [{image: upper.img, size: 128, mountPoint: \"$test_dir/nix/.rw-store\"}]"

# try NAME [LINE of the description]...
try() {
	name=$1
	shift
	case "$name $virtiofsd" in
	*virtiofs*\ ) skip "$name" "no virtiofsd, or not root"; return ;;
	esac
	rm -f upper.img
	rm -rf "$test_dir/upper"
	mkdir "$test_dir/upper"
	{
		echo "writableStoreOverlay: \"$test_dir/nix/.rw-store\""
		echo 'mem: 768'
		printf '%s\n' "$@"
		fast_kernel
	} | compile "$name" "$guest" || finish
	ls "$NIX_STORE_DIR" >"$test_dir/before"
	boots first
}
persists() {
	boots second
	expect "$name: the second boot finds what the first one added" <(step ls) 'built-in-guest$'
	check "$name: the second boot added a store path too" \
		test "$(step ls | grep -c -- '-added$')" = 2
}
# shellcheck disable=SC2317 # vm_once calls it
vm_before() {
	case $name in virtiofs*) serve store "$NIX_STORE_DIR" ;; esac
	case $name in *-virtiofs) serve upper "$test_dir/upper" ;; esac
}
# shellcheck disable=SC2034 # vm_once looks at it
vm_before=vm_before

try disk-memory
check "disk-memory: the upper layer is where the description says" \
	grep -q "upperdir=$test_dir/nix/.rw-store/store," <(step mounts)
try disk-volume "$on_volume"
persists
try disk-virtiofs "shares: [$on_virtiofs]"
persists
try 9p-memory "shares: [$(shared_by 9p)]"
try virtiofs-volume "shares: [$(shared_by virtiofs)]" "$on_volume"
try virtiofs-virtiofs "shares: [$(shared_by virtiofs), $on_virtiofs]"
persists
check "the host's store is as it was" diff "$test_dir/before" <(ls "$NIX_STORE_DIR")
finish
