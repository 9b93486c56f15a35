#!/bin/bash
# SPDX-License-Identifier: MIT
# Store disks that the host links: the same bytes as linked in a build, one disk for all runners
# with the same list, repaired when it changed, removed when nothing needs it; and a guest boots
# from it.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
limit=240
PATH=$(dirname "$mvmbuild"):$PATH
unset XDG_CACHE_HOME
disks=$test_dir/disks log=$test_dir/log
export MICROVM_DISKS=$disks
guest=$(guest_build pmem-guest) || exit 1

built() { # NAME [LINE]...
	local name=$1
	shift
	{
		fast_kernel
		printf '%s\n' "$@"
	} | compile "$name" "$guest" || finish
}
link() { "$mvmbuild" link -q --no-cache "$@"; }
fails_as_is() { ! "$@"; }
fails() { ! "$@" >"$log" 2>&1; }
inode() { stat -c %i "$1"; }
same_inode() { [ "$(inode "$1")" = "$2" ]; }
is_gone() { [ ! -e "$1" ]; }
no_litter() { [ -z "$(find "$disks" -name '*.work')" ]; }

# same_bytes NAME FILE SETTINGS...: linked on the host and in a build.
same_bytes() {
	local name=$1 file=$2 disk
	built "$name-build" "storeDisk: {$3}" "${@:4}"
	built "$name-host" "storeDisk: {$3, link: host}" "${@:4}"
	check "$name: the runner has a list" test -e "$test_dir/$name-host/share/microvm/link-list"
	check "$name: and no disk" is_gone "$test_dir/$name-host/share/microvm/$file"
	disk=$(link "$test_dir/$name-host")
	check "$name: the host links the same bytes" \
		cmp "$disk" "$test_dir/$name-build/share/microvm/$file"
}
same_bytes squashfs stage1.squashfs 'type: squashfs'
same_bytes lz4hc stage1.erofs 'type: erofs'
same_bytes plain stage1.erofs 'type: erofs, compression: none'
same_bytes pmem stage1.erofs 'type: erofs, compression: none, device: pmem' \
	'qemu: {machine: q35}'

"$mvmbuild" size "$test_dir/plain-host" >"$log" 2>&1
expect "size knows that the host links the disk" "$log" 'the host links the store disk'
"$mvmbuild" why "$test_dir/plain-host" "$guest" >"$log" 2>&1
expect "why knows the paths" "$log" "$guest"
"$mvmbuild" diff "$test_dir/plain-build" "$test_dir/plain-host" >"$log" 2>&1
expect "diff shows the option" "$log" 'storeDisk.link: build -> host'
"$mvmbuild" plan "$test_dir/plain-host.yaml" >"$log" 2>&1
expect "plan says who links the disk" "$log" 'type erofs, .*linked on the host'

# ---- one disk for all ----
disk=$(link "$test_dir/plain-host") first=$(inode "$disk")
check "a linked disk is kept" same_inode "$disk" "$first"
built other 'storeDisk: {type: erofs, compression: none, link: host}' 'mem: 300'
check "another runner with the same list has the same disk" \
	test "$(link "$test_dir/other")" = "$disk"
check "the disk is not linked twice" same_inode "$disk" "$first"

rm -rf "$disks"
for number in 1 2 3; do link "$test_dir/plain-host" >"$test_dir/at-once.$number" & done
wait
check "three links at once make one disk" \
	test "$(sort -u "$test_dir"/at-once.* | tee "$log" | wc -l)" = 1
check "nothing else is left" no_litter

# ---- changed, damaged, missing ----
changed() { # MODE [OPTION]...
	cp "$test_dir/plain-build/share/microvm/stage1.erofs" "$test_dir/good"
	chmod u+w "$disk"
	printf x | dd of="$disk" bs=1 seek=70000 conv=notrunc status=none
	link "$test_dir/plain-host" >"$log" && cmp "$disk" "$test_dir/good"
}
check "a changed disk is linked again" changed
stealthy() { # as a disk that loses a bit: the seal is that of the damaged file
	local seal
	chmod u+w "$disk"
	printf x | dd of="$disk" bs=1 seek=70000 conv=notrunc status=none
	seal=$(stat -c '1 %i %s ' "$disk")
	seal+=$(stat -c '%.9Y %.9Z' "$disk")
	chmod u+w "$disk.seal"
	echo "$seal" >"$disk.seal"
	link "$test_dir/plain-host" >"$log" && ! cmp -s "$disk" "$test_dir/good" &&
		link --verify "$test_dir/plain-host" >"$log" && cmp "$disk" "$test_dir/good"
}
check "--verify finds what the seal does not, and repairs it" stealthy
rm "$disk.seal"
check "a disk without its seal is linked again" link "$test_dir/plain-host"
check "a sealed disk that is right is kept by --verify" link --verify "$test_dir/plain-host"

payload=$(nix_build "$top/tests/e2e/lib/nix/pmem-guest.nix" payload) || exit 1
path=$NIX_STORE_DIR/$(cut -d / -f 1 <<<"${payload#"$NIX_STORE_DIR"/}")
chmod u+w "$NIX_STORE_DIR"
mv "$path" "$test_dir/away"
check "a disk that is there needs no store path" link "$test_dir/plain-host"
rm -f "$disk"
check "a missing store path is refused" fails link "$test_dir/plain-host"
expect "and named" "$log" "missing-path|$path is missing on this host"
check "nothing half-made is left" no_litter
mv "$test_dir/away" "$path"

# ---- a full disk, an interruption ----
full() {
	# shellcheck disable=SC2016 # the inner shell's arguments
	unshare -m bash -c 'mount -t tmpfs -o size=1m tmpfs "$2"
		"$1" link -q --no-cache --disks "$2/disks" "$3"
		status=$?
		find "$2" -name "*.work" -o -name "*.erofs"
		exit $status' - "$mvmbuild" "$test_dir/full" "$test_dir/plain-host" >"$log" 2>&1
}
mkdir "$test_dir/full"
if unshare -m true 2>/dev/null; then
	check "a full disk is an error" fails_as_is full
	expect "the message says so" "$log" 'No space left on device'
	check "nothing is left there" test "$(grep -c "^$test_dir/full" "$log")" = 0
else
	skip "a full disk" "needs a mount namespace"
fi
built slow 'storeDisk: {level: 22, link: host}'
interrupted() {
	local process
	"$mvmbuild" link -q --no-cache -j 1 --disks "$test_dir/cut" "$test_dir/slow" &
	process=$!
	until compgen -G "$test_dir/cut/.*.work" >/dev/null; do kill -0 "$process" || return; done
	kill -TERM "$process" # a background process ignores SIGINT
	wait "$process"
	[ $? = 130 ]
}
check "an interruption ends it" interrupted
check "and leaves neither a disk nor a part of it" \
	test -z "$(find "$test_dir/cut" -name '*.work' -o -name '*.squashfs')"
another_waits() {
	local other
	"$mvmbuild" link -q --no-cache -j 1 --disks "$test_dir/cut" "$test_dir/slow" &
	first=$!
	until compgen -G "$test_dir/cut/.*.work" >/dev/null; do kill -0 "$first" || return; done
	"$mvmbuild" link -q --no-cache -j 1 --disks "$test_dir/cut" "$test_dir/slow" >"$log" 2>&1 &
	other=$!
	sleep 0.3
	kill -TERM "$first"
	wait "$other"
}
check "another link of the disk, which waited, makes it" another_waits

cp -r "$test_dir/plain-host" "$test_dir/forged"
list=$test_dir/forged/share/microvm/link-list
forge() { # SED-SCRIPT
	chmod u+w "$(dirname "$list")"
	rm -f "$list"
	sed "$1" "$test_dir/plain-host/share/microvm/link-list" >"$list"
	fails link "$test_dir/forged"
}
check "a list with another version is refused" forge '1s/1/2/'
check "a list with a path outside of the store is refused" forge 's|^storeDir .*|storeDir /etc/..|'
last=$(wc -l <"$test_dir/plain-host/share/microvm/link-list")
check "a list with a file of another name is refused" forge "${last}s| .*| shadow|"
check "a list with a surplus line is refused" forge "${last}a x"
check "a list with fewer paths than it says is refused" forge "${last}d"
expect "the message says so" "$log" 'is not a link list'

# ---- references ----
disk=$(link "$test_dir/plain-host") && link "$test_dir/other" >"$log"
check "a collection keeps what runners need" link --gc
check "the disk is there" test -e "$disk"
rm -rf "$test_dir/plain-host" "$test_dir/forged"
check "a collection" link --gc
check "another runner keeps the disk" test -e "$disk"
rm -rf "$test_dir"/*-host "$test_dir/other"
check "a collection without runners" link --gc
check "removes the directory, too" is_gone "$disks"

# ---- a guest ----
boots() { # NAME SETTINGS [LINE]
	built "$1" "storeDisk: {$2, link: host}" "${@:3}"
	boot "$1" '^pmem: '
	ends_well "$1: a guest boots from a disk that microvm-run links"
	expect "$1: the guest reads its store" "$console" \
		"^pmem: payload $(sha256sum "$payload" | cut -d ' ' -f 1)"
}
boots block 'type: erofs'
check "the state directory names the disk" \
	test "$(readlink vm-store-disk)" = "$(link "$test_dir/block")"
boots pmem 'type: erofs, compression: none, device: pmem' 'qemu: {machine: q35}'

# ---- the command microvm ----
unset MICROVM_DISKS
state=$test_dir/vms
microvm() { "$(dirname "$mvmbuild")/microvm" --state-dir "$state" -q "$@"; }
describe() { # NAME [LINE]...
	{
		fast_kernel
		printf '%s\n' "hostName: $1" "toplevel: $guest" "storeDir: $NIX_STORE_DIR"
		printf '%s\n' "${@:2}"
	} >"$test_dir/$1.yaml"
}
linked() { find "$state/.disks" -maxdepth 1 -name '*.erofs' 2>/dev/null | sort; }
count() { linked | wc -l; }
created() { # NAME
	describe "$1" 'storeDisk: {type: erofs, compression: none, link: host}'
	microvm -c "$1" -f "$test_dir/$1.yaml"
}
updated() { # NAME SETTINGS
	describe "$1" "storeDisk: {$2, link: host}"
	microvm -u "$1"
}
check "microvm -c links the disk" created one
check "it is in the state directory" test "$(count)" = 1
first=$(inode "$(linked)")
check "a second VM with the same closure" created two
check "has the same disk" test "$(count)" = 1 -a "$(inode "$(linked)")" = "$first"
check "microvm -u links the new disk" updated one 'type: erofs'
check "beside the old one" test "$(count)" = 2
check "one VM is removed" microvm --remove two
check "the link old of the other keeps its disk" test "$(count)" = 2
check "another update" updated one 'type: erofs, level: 3'
check "removes the disk that nothing needs any more" test "$(count)" = 2
check "the last VM is removed" microvm --remove one
check "with its disks" test "$(count)" = 0 -a ! -e "$state/.disks"
finish
