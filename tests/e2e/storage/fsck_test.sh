#!/bin/bash
# SPDX-License-Identifier: MIT
# Repairs volumes that a loss of power has torn with `microvm --fsck`, by the tool of each file
# system. It touches nothing that is in use or that does not belong to the VM.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
microvm=$(dirname "$(realpath "${MVMBUILD:-$top/build/mvmbuild}")")/microvm
PATH=$PATH:/usr/sbin:/sbin
need_root
need_programs e2fsck debugfs mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat xfs_repair btrfs fsck.vfat \
	losetup flock setpriv
losetup -f >/dev/null 2>&1 || skip_all "needs loop devices"
fixture_make "$test_dir"
export NIX_STATE_DIR=$test_dir/none NO_COLOR=1
chmod 755 "$test_dir"
log=$test_dir/log state=$test_dir/vms vm=$test_dir/vms/vm
printf '%s\n' "hostName: vm" "storeDir: $test_dir/store" \
	"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
	"kernel: $test_dir/kernel" \
		"volumes: [{image: data.img, size: 64}, {image: large.img, size: 256}, {image: x.img, fsType: xfs, size: 300}, {image: b.img, fsType: btrfs, size: 128}, {image: v.img, fsType: vfat, size: 16}]" \
	>"$test_dir/vm.yaml"
m() { "$microvm" --state-dir "$state" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
check "microvm creates a VM" m -q --no-cache -c vm -f "$test_dir/vm.yaml"
cd "$vm" || exit

check "--fsck succeeds when volumes are not created yet" m --fsck vm
expect "--fsck reports a volume that is not created yet" "$log" '^data.img \(ext4\): not there yet$'
truncate -s 64M data.img && mkfs.ext4 -q -b 1024 data.img
truncate -s 256M large.img && mkfs.ext4 -q -b 4096 large.img
truncate -s 300M x.img && mkfs.xfs -q x.img
truncate -s 128M b.img && mkfs.btrfs -q b.img
truncate -s 16M v.img && mkfs.vfat v.img >/dev/null
check "--fsck finds new volumes sound" m --fsck vm
for kind in data.img:ext4 large.img:ext4 x.img:xfs b.img:btrfs v.img:vfat; do
	expect "${kind%:*} is" "$log" "^${kind%:*} \\(${kind#*:}\\): sound\$"
done

# ---- a torn journal ----
# The power fails while three transactions are only in the journal.
mount_it() { mount -o loop "$1" "$test_dir/mnt"; }
mkdir "$test_dir/mnt"
mount_it data.img
for i in 1 2 3; do
	mkdir "$test_dir/mnt/$i"
	seq "$i" 500 >"$test_dir/mnt/$i/numbers"
	sync -f "$test_dir/mnt"
done
cp --sparse=always data.img "$test_dir/dirty.img"
umount "$test_dir/mnt"
# Half of the block with the last one's descriptor was not written.
read -ra journal < <(debugfs -R 'blocks <8>' "$test_dir/dirty.img" 2>/dev/null)
descriptor=$(debugfs -R 'logdump -O' "$test_dir/dirty.img" 2>/dev/null |
	sed -n 's/.*(descriptor block) at block //p' | tail -n 1)
cp --sparse=always "$test_dir/dirty.img" data.img
head -c 512 /dev/zero | dd of=data.img bs=512 seek=$((journal[descriptor] * 2 + 1)) conv=notrunc \
	status=none
check "an ext4 with a torn journal cannot be mounted" fails mount_it data.img
check "--fsck mends a torn journal" m --fsck vm
expect "--fsck reports the ext4 as mended" "$log" '^data.img \(ext4\): mended$'
expect "--fsck prints what e2fsck prints" "$log" '^data.img: recovering journal'
expect "--fsck reports the xfs as sound" "$log" '^x.img \(xfs\): sound$'
check "the mended ext4 can be mounted" mount_it data.img
check "the files from before are in the mended ext4" \
	test "$(cat "$test_dir/mnt/2/numbers")" = "$(seq 2 500)"
umount "$test_dir/mnt"
check "--fsck succeeds a second time" m --fsck vm
expect "--fsck reports the mended ext4 as sound" "$log" '^data.img \(ext4\): sound$'

# ---- a torn superblock ----
mount_it large.img && echo kept >"$test_dir/mnt/file" && umount "$test_dir/mnt"
cp --sparse=always large.img "$test_dir/large.img"
dd if=/dev/zero of=large.img bs=512 seek=3 count=1 conv=notrunc status=none
check "an ext4 with a torn superblock cannot be mounted" fails mount_it large.img
check "--fsck mends a superblock by its copy" m --fsck vm
expect "--fsck reports that ext4 as mended" "$log" '^large.img \(ext4\): mended$'
check "the files from before are in that ext4" bash \
	-c "mount -o loop large.img '$test_dir/mnt' && [ \"\$(cat '$test_dir/mnt/file')\" = kept ] && umount '$test_dir/mnt'"
# A small file system has no copy of its superblock, so it stays as it is.
truncate -s 7M small && mkfs.ext4 -q -b 1024 small && dd if=/dev/zero of=small bs=512 seek=3 \
	count=1 conv=notrunc status=none && cp small data.img
check "--fsck fails for an ext4 without a copy of its superblock" fails m --fsck vm
expect "--fsck says to make a copy of the image" \
	"$log" 'error: the volume data.img is damaged; make a copy of the image'
expect "--fsck looks at the volumes behind a failed one" "$log" '^v.img \(vfat\): sound$'
check "--fsck leaves the ext4 that it cannot mend as it was" cmp small data.img
rm small
cp --sparse=always "$test_dir/dirty.img" data.img

# ---- other file systems ----
mount_it x.img && seq 500 >"$test_dir/mnt/file" && sync -f "$test_dir/mnt" &&
	cp --sparse=always x.img "$test_dir/x.img" && umount "$test_dir/mnt"
cp --sparse=always x.img "$test_dir/good.img"
cp --sparse=always "$test_dir/x.img" x.img
check "--fsck fails for an xfs whose journal is to be replayed" fails m --fsck vm
expect "--fsck says that a start replays the journal" \
	"$log" 'the volume x.img is damaged; a start replays its journal'
check "--fsck leaves the xfs with the journal as it was" cmp x.img "$test_dir/x.img"
cp --sparse=always "$test_dir/good.img" x.img
# Its second superblock is broken.
xfs_db -x -c 'sb 1' -c 'write -d dblocks 1' x.img >/dev/null
cp --sparse=always x.img "$test_dir/broken.img"
check "--fsck fails for an xfs with a broken structure" fails m --fsck vm
expect "--fsck reports the broken xfs" "$log" 'the volume x.img is damaged'
check "--fsck leaves the broken xfs as it was" cmp x.img "$test_dir/broken.img"
cp --sparse=always "$test_dir/good.img" x.img
# A btrfs is only checked: both copies of its checksum tree are damaged.
cp --sparse=always b.img "$test_dir/b.img"
for place in $(btrfs inspect-internal dump-tree -r b.img 2>/dev/null |
	sed -n 's/.*ROOT_ITEM [0-9]*) \([0-9]*\) level.*/\1/p;s/.*root: \([0-9]*\) level.*/\1/p' |
	head -n 1); do
	physical=$(btrfs-map-logical -l "$place" b.img 2>/dev/null |
		sed -n 's/.*physical \([0-9]*\) .*/\1/p')
	for at in $physical; do
		dd if=/dev/zero of=b.img bs=512 seek=$((at / 512)) count=1 conv=notrunc status=none
	done
done
cmp -s b.img "$test_dir/b.img" && not_ok "the btrfs is broken"
cp --sparse=always b.img "$test_dir/broken.img"
check "--fsck fails for a broken btrfs" fails m --fsck vm
expect "--fsck reports the broken btrfs" "$log" 'the volume b.img is damaged'
check "--fsck leaves the broken btrfs as it was" cmp b.img "$test_dir/broken.img"
cp --sparse=always "$test_dir/b.img" b.img

# fsck.vfat returns the status of a repair when it gives up. Its output contains names that the
# guest chose.
cp v.img "$test_dir/v.img"
truncate -s 0 v.img && truncate -s 16M v.img
check "--fsck fails for a vfat whose structures are gone" fails m --fsck vm
expect "--fsck reports the broken vfat" "$log" 'the volume v.img is damaged'
cp "$test_dir/v.img" v.img
# The first entry of the directory, which has a bad name and no file behind it. (FAT16: reserved
# sectors, two tables, then the directory.)
u16() { od -An -tu2 -j "$1" -N 2 v.img | tr -d ' '; }
root=$((($(u16 14) + 2 * $(u16 22)) * 512))
printf '\033]0;X   TXT\040' | dd of=v.img bs=1 seek="$root" conv=notrunc status=none
printf '\377\377\377\377' | dd of=v.img bs=1 seek=$((root + 28)) conv=notrunc status=none
m --fsck vm
check "--fsck prints the name of a file in a vfat" grep -q TXT "$log"
check "--fsck sends no control characters of that name to the terminal" \
	test -z "$(grep -a "$(printf '\033')" "$log")"
cp "$test_dir/v.img" v.img

# ---- not without consent, not while it is in use, not with root's rights ----
check "--fsck finds the restored volumes sound" m --fsck vm
cp --sparse=always "$test_dir/dirty.img" data.img
untouched() { cmp -s data.img "$test_dir/dirty.img"; }
(
	flock 9
	m --fsck vm
) 9<data.img
check "--fsck refuses an image in use" test $? = 1
expect "--fsck names the image in use" "$log" 'the volume data.img: it is in use'
check "--fsck leaves the image in use alone" untouched
: >data.img.grow
check "--fsck refuses a volume whose growth was interrupted" fails m --fsck vm
expect "--fsck says that the next start completes the growth" \
	"$log" 'the volume data.img: its growth was interrupted; start the VM first'
check "--fsck leaves that volume alone" untouched
rm data.img.grow
mkdir "$test_dir/bin"
printf '#!/bin/sh\necho active\n' >"$test_dir/bin/systemctl"
chmod +x "$test_dir/bin/systemctl"
check "--fsck refuses a running VM" \
	test "$(PATH=$test_dir/bin:$PATH "$microvm" --state-dir "$state" --fsck vm >"$log" 2>&1; \
		echo $?)" = 1
expect "--fsck says how to stop the VM" \
	"$log" 'vm is running: systemctl stop microvm@vm.service first'
check "--fsck leaves the running VM's volumes alone" untouched
cp --sparse=always data.img "$test_dir/roots.img"
mv data.img "$test_dir/kept.img"
ln -s "$test_dir/roots.img" data.img && chown -h 65534 data.img
check "--fsck refuses a link of the VMs' user to a file of root's" fails m --fsck vm
expect "--fsck says that the link is not root's" \
	"$log" 'the volume data.img: it is a symbolic link that does not belong to root'
check "--fsck leaves the file behind that link alone" \
	cmp "$test_dir/roots.img" "$test_dir/dirty.img"
chown -h 0 data.img
: >"$test_dir/roots.img.grow"
check "--fsck refuses an interrupted growth behind a link of root's" fails m --fsck vm
expect "--fsck reports the interrupted growth behind the link" \
	"$log" 'the volume data.img: its growth was interrupted'
rm "$test_dir/roots.img.grow"
check "--fsck follows a link of root's" m --fsck vm
expect "--fsck mends the volume behind the link" "$log" '^data.img \(ext4\): mended$'
rm data.img
mv "$test_dir/kept.img" data.img
chown 65534 data.img
# This tool prints its user.
printf '#!/bin/sh\nid -u >&2\nexit 4\n' >"$test_dir/bin/e2fsck"
chmod 755 "$test_dir/bin/e2fsck" "$test_dir/bin"
rm "$test_dir/bin/systemctl"
check "--fsck checks an image of the VMs' user" \
	test "$(PATH=$test_dir/bin:$PATH "$microvm" --state-dir "$state" --fsck vm >"$log" 2>&1; \
		echo $?)" = 1
expect "it does so with that user's rights" "$log" '^65534$'
check "--fsck succeeds with that user's rights and the real tool" m --fsck vm
expect "--fsck mends the image of the VMs' user" "$log" '^data.img \(ext4\): mended$'
check "--fsck fails for a VM that does not exist" fails m --fsck none
expect "--fsck names the VM that does not exist" "$log" 'there is no VM "none"'

finish
