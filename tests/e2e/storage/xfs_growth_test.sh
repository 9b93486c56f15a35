#!/bin/bash
# SPDX-License-Identifier: MIT
# Mounts an xfs whose growth a loss of power cut off before the copies of its superblock were
# written: xfs_repair would make it small again. Stage 1's next mount must write them.
# shellcheck disable=SC2317 # check calls the functions
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need_root
need_programs mkfs.xfs xfs_repair losetup cc
losetup -f >/dev/null 2>&1 || skip_all "needs loop devices"
cd "$test_dir" || exit
cc -std=c11 -D_GNU_SOURCE -I "$top" -o grow "$top/tests/e2e/lib/grow_step.c" \
	"$top"/imaging/guest/init/{grow,file}.c "$top"/base/{plain_file,number}.c || exit 1
mkdir mnt
grow() { mount -o loop "$1" mnt && ./grow mnt && umount mnt; }
group=$((19200 * 4096)) # of mkfs.xfs for 300 MiB: four of them
truncate -s 300M x.img
mkfs.xfs -q -d agsize=$group x.img
cp --sparse=always x.img before.img
truncate -s 400M x.img
check "the step grows a mounted xfs" grow x.img
check "the grown xfs is sound" xfs_repair -n -f x.img
# This is another file, as the first one's loop device may still exist.
cp --sparse=always x.img torn.img
for n in 1 2 3; do
	dd if=before.img of=torn.img bs=512 skip=$((n * group / 512)) seek=$((n * group / 512)) \
		count=1 conv=notrunc status=none
done
check "xfs_repair would undo a growth that was cut off" bash -c '! xfs_repair -n -f torn.img'
check "the step succeeds on an xfs whose growth was cut off" grow torn.img
check "it makes that xfs sound" xfs_repair -n -f torn.img
finish
