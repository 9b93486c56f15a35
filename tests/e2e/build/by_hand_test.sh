#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds from a store that was made by hand: its paths are not registered, and their contents change
# under the same names. The guest's database must describe the contents of its store disk.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-hash unsquashfs sqlite3 busybox jq
unset NIX_REMOTE NIX_ATTRS_JSON_FILE NIX_BUILD_TOP SOURCE_DATE_EPOCH
export NIX_STATE_DIR=$test_dir/no-nix
fixture_make "$test_dir"
system=$test_dir/store/$fixture_hash-system
data=$test_dir/store/${fixture_hash//0/1}-data
mv "$test_dir/store/$fixture_hash-data" "$data"
ln -s "$data/file" "$system/data"
cat >"$test_dir/vm.yaml" <<E2
hostName: hand
toplevel: $system
storeDir: $test_dir/store
kernel: $test_dir/kernel
stage1: {modules: []}
nixDatabase: prebuilt
E2
cd "$test_dir" || exit
mvm() { "$MVMBUILD" --progress plain --cache "$test_dir/cache" "$@" >printed 2>log; }
# The new content has the same size and modification time.
change() {
	printf '%s\n' "$1" >"$data/file"
	touch -d @1 "$data/file" "$data"
}

# These print lines of "PATH HASH", sorted by path: for the store, for a runner's disk, and from its
# guest's database.
hashes() { # DIR
	local path
	for path in "$1"/*; do
		echo "$test_dir/store/${path##*/} $(nix-hash --type sha256 "$path")"
	done
}
disk_hashes() { # RUNNER
	local image
	image=$(find "$1/share/microvm/" -name 'stage1.*fs')
	chmod -R u+w unpacked 2>/dev/null
	rm -rf unpacked
	case $image in
	*.erofs) PATH=$PATH:/usr/sbin:/sbin fsck.erofs --extract=unpacked "$image" >/dev/null ;;
	*) unsquashfs -q -n -d unpacked "$image" >/dev/null ;;
	esac && hashes unpacked
}
database_hashes() { # RUNNER
	rm -rf stage1
	mkdir stage1
	gzip -dc "$1/share/microvm/initrd" | (cd stage1 && busybox cpio -i 2>/dev/null)
	local database registration
	database=$(awk '$1 == "file" && $3 ~ /db.sqlite$/ { print $2 }' stage1/mvm/plan)
	registration=$(awk '$1 == "file" && $3 ~ /registration$/ { print $2 }' stage1/mvm/plan)
	if [ "$database" ]; then
		sqlite3 "stage1/$database" \
			"select path || ' ' || replace(hash, 'sha256:', '') from ValidPaths order by path"
	else
		awk 'path && length($0) == 64 { print path, $0 } { path = $0 }' \
			"stage1/$registration"
	fi
}
# agree WHAT RUNNER: store, disk and database agree.
agree() {
	hashes store >store.hashes
	disk_hashes "$2" >disk.hashes
	database_hashes "$2" >database.hashes
	check "$1: two store paths were packed" test "$(grep -cE " [0-9a-f]{64}$" store.hashes)" = 2
	check "$1: the disk has the contents of the store" diff store.hashes disk.hashes
	check "$1: the guest's database has the hashes of the store" \
		diff store.hashes database.hashes
}

# Builds once, then with another content under the same name, then with the same content.
try() { # WHAT [ARGUMENT]...
	local what=$1
	shift
	change first
	rm -rf cache out
	check "$what: a build succeeds" mvm "$@" vm.yaml -o out
	agree "$what" out
	change other
	check "$what: a build succeeds after the contents changed" mvm "$@" vm.yaml -o out
	agree "$what, after a change" out
	check "$what: a build succeeds when nothing changed since" mvm "$@" vm.yaml -o out
	expect "$what: an unchanged store is up to date" log 'is up to date'
}
try squashfs
expect "after a change one store path is packed" \
	<(change third && mvm vm.yaml -o out && cat log) ' 1 store path packed, 1 from the cache'
cp -a out before
change fourth
check "a runner with the third contents and one with the fourth build" mvm vm.yaml -o out
"$MVMBUILD" diff --json before out >printed 2>log
check "mvmbuild diff reports that the two runners differ in this path alone" \
	test "$(jq -r '[.packages[] | .name] | join(" ")' printed)" = data

find store -mindepth 1 -maxdepth 1 -printf "$test_dir/store/%f\n" >list
try "a list of store paths as the closure" --set closure=list
printf '%s\n\n1\n%s\n%s\n\n0\n' "$system" "$data" "$data" >graph
try "an exportReferencesGraph file as the closure" --set closure=graph
try "the registration instead of a prebuilt database" --set nixDatabase=registration
if command -v mksquashfs >/dev/null; then
	try mksquashfs --set storeDisk.engine=mksquashfs
else
	skip mksquashfs "not there"
fi
if PATH=$PATH:/usr/sbin:/sbin command -v fsck.erofs >/dev/null; then
	try erofs --set storeDiskType=erofs
else
	skip erofs "no fsck.erofs"
fi

# Contents change while they are packed: a program of this name changes them before the real one
# reads them.
changes() { # PROGRAM [ARGUMENT]...
	local program=$1 real
	shift
	real=$(PATH=$PATH:/usr/sbin:/sbin type -P "$program") ||
		{ skip "$program" "not there"; return; }
	mkdir -p bin
	printf '#!/bin/sh\necho meanwhile >"%s"\nexec %s "$@"\n' "$data/file" "$real" \
		>"bin/$program"
	chmod +x "bin/$program"
	change before
	rm -rf cache out
	check "$program: contents that change after they were hashed are refused" \
		fails env PATH="$test_dir/bin:$PATH" \
		"$MVMBUILD" -q --progress none --cache cache "$@" vm.yaml -o out
	cp .check log
	expect "$program: the message names the store path" \
		log "error: $data was modified: its recorded hash is sha256:"
	check "$program: no runner and no object is made of them" \
		test ! -e out -a -z "$(find cache -name '*data*' 2>/dev/null)"
	rm -r bin
}
fails() { ! "$@"; }
changes mksquashfs --set storeDisk.engine=mksquashfs
if PATH=$PATH:/usr/sbin:/sbin mkfs.erofs -V 2>&1 | grep -q deflate; then
	changes mkfs.erofs --set storeDiskType=erofs --set storeDisk.compression=deflate
else
	skip mkfs.erofs "it has no deflate"
fi

# Two VMs of a host share one disk.
printf 'vms:\n  one: {config: &vm {toplevel: %s, storeDir: %s, kernel: %s, stage1: {modules: []}, nixDatabase: prebuilt}}\n  two: {config: *vm}\n' "$system" "$test_dir/store" \
	"$test_dir/kernel" >host.yaml
try_host() { # WHAT
	check "$1 builds" mvm host host.yaml -o host
	agree "$1, VM one" host/runners/one
	agree "$1, VM two" host/runners/two
	check "$1: the VMs share one disk" test host/runners/one/share/microvm/stage1.squashfs \
		-ef host/runners/two/share/microvm/stage1.squashfs
}
try_host "a host"
change fifth
try_host "a host, another content"
finish
